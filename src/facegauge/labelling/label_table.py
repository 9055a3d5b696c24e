"""Tables of pseudo-labels: a row a picture, resumable while they grow, manifests once finished."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from facegauge.data.manifests import Manifest, relative_path
from facegauge.errors import UsageError
from facegauge.evaluation.logistic import Mapping
from facegauge.results import Status
from facegauge.tables.formats import DECIMALS, ROW_GROUP, Row, require_parquet, without_bytes
from facegauge.tables.locks import hold

Scores = npt.NDArray[np.float64]

NUMBERS = ("score", "raw", "spread", "weight")
COLUMNS = ("image", "status", *NUMBERS, "scorer", "message")
SUFFIXES = (".csv", ".parquet")


@dataclass(frozen=True, slots=True)
class Label:
    """What a judge says of one picture; without numbers unless the status is ok.

    Attributes:
        raw: mean over the views of what the network gives, on any scale.
        score: the label: `raw` mapped to the labels' scale and cut to 0..1.
        spread: population standard deviation of the views' raw scores.
        weight: exp(-spread), how far to trust the label: a third party's idea, not the paper's.
        message: why there is no score.
    """

    path: Path
    status: Status
    raw: float | None = None
    score: float | None = None
    spread: float | None = None
    weight: float | None = None
    message: str = ""


def load_labels(table: str | os.PathLike[str]) -> tuple[Manifest, Scores]:
    """The labelled pictures of a finished table and their weights, (N,).

    Rows without a score are left out; the other columns are groups of the manifest.

    Raises:
        UsageError: no table of labels, or not one picture in it has a label.
        MissingExtra: Parquet without pyarrow.
    """
    table = Path(table)
    rows = [row for row in _read(table) if row["score"] is not None]
    if not rows:
        raise UsageError(f"{table}: none of its pictures has a label")
    groups = [name for name in COLUMNS if name not in ("image", "score")]
    manifest = Manifest(
        paths=tuple(table.parent / row["image"] for row in rows),
        scores=np.array([row["score"] for row in rows], np.float64),
        splits=None,
        groups={name: tuple(str(row[name]) for row in rows) for name in groups},
        source=table,
    )
    return manifest, np.array([row["weight"] for row in rows], np.float64)


class Table:
    """A table of labels and the journal that it grows as; a context manager while it grows."""

    def __init__(self, path: Path) -> None:
        self._parquet = _is_parquet(path)
        if not path.parent.is_dir():
            raise UsageError(f"there is no folder {path.parent} to write {path.name} to")
        self.path = path
        self.done: set[str] = set()
        self._journal = path.with_name(path.name + ".partial.jsonl")
        self._notes = path.with_name(path.name + ".settings.json")

    @property
    def anew(self) -> str:
        """How to be rid of it, for messages; training has no --overwrite."""
        return f"to start anew delete {self.path.name}* (facegauge label --overwrite does)"

    @property
    def exists(self) -> bool:
        return self.path.exists() or self._journal.exists()

    def name(self, picture: Path) -> str:
        """A picture's path as seen from the table's folder."""
        name = relative_path(picture, self.path.parent)
        if self._parquet and without_bytes(name) != name:
            raise UsageError(
                f"{self.path}: Parquet cannot hold names that are not UTF-8, such as "
                f"{without_bytes(name)!r}; write a .csv"
            )
        return name

    def begin(self, settings: Row, mapping: Mapping) -> None:
        """An empty table in place of what is there."""
        notes = json.dumps({"settings": settings, "mapping": asdict(mapping)}, indent=2)
        self._open()
        self._lines.truncate(0)
        self.path.unlink(missing_ok=True)
        with _replacing(self._notes) as fresh:
            fresh.write_text(notes + "\n", encoding="utf-8")

    def go_on(self, settings: Row) -> Mapping:
        """Take up what is there; returns the mapping that it was begun with.

        Raises:
            UsageError: it was begun with other settings, is damaged, or another process writes it.
        """
        try:
            notes = json.loads(self._notes.read_text(encoding="utf-8"))
            old, curve = dict(notes["settings"]), dict[str, Any](notes["mapping"])
            for key in ("logistic", "linear"):
                curve[key] = curve[key] and tuple(map(float, curve[key]))
            mapping = Mapping(**curve)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f"cannot resume {self.path}: {self._notes.name}, which says how its labels were "
                f"made, is missing or damaged; {self.anew}"
            ) from error
        differing = [
            f"{key} was {old.get(key)!r}, is {value!r}"
            for key, value in settings.items()
            if old.get(key) != value
        ]
        if differing:
            raise UsageError(
                f"cannot resume {self.path} with other settings: {'; '.join(differing)}; "
                f"repeat the old ones, or {self.anew}"
            )
        if not self._journal.exists():
            with _replacing(self._journal) as fresh, fresh.open("wb") as lines:
                lines.writelines(map(_line, _read(self.path)))
        self._open()
        self._read_back()
        return mapping

    def write(self, name: str, label: Label, scorer: str) -> None:
        """Append a row."""
        numbers = [getattr(label, column) for column in NUMBERS]
        cells = [None if number is None else round(number, DECIMALS) for number in numbers]
        values = (name, label.status.value, *cells, scorer, label.message)
        rest = memoryview(_line(dict(zip(COLUMNS, values, strict=True))))
        while rest:
            rest = rest[self._lines.write(rest) or 0 :]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        self._lines.close()
        if kind is None:
            self._publish()

    def _open(self) -> None:
        self._lines = self._journal.open("ab", buffering=0)
        try:
            hold(self._lines, self.path)
        except UsageError:
            self._lines.close()
            raise

    def _read_back(self) -> None:
        """Note what the journal holds, and drop a last line that was cut."""
        whole = 0
        try:
            with self._journal.open("rb") as lines:
                for line in lines:
                    if line.endswith(b"\n"):
                        self.done.add(json.loads(line)["image"])
                        whole += len(line)
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f"cannot resume {self.path}: {self._journal.name} is damaged: {error}; {self.anew}"
            ) from error
        self._lines.truncate(whole)

    def _publish(self) -> None:
        """The journal becomes the table."""
        write = _write_parquet if self._parquet else _write_csv
        with self._journal.open("rb") as lines, _replacing(self.path) as fresh:
            write(fresh, map(json.loads, lines))
        self._journal.unlink()


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A file to write, which takes the place of `path` once it is whole."""
    fresh = path.with_name(path.name + ".new")
    yield fresh
    fresh.replace(path)


def _is_parquet(path: Path) -> bool:
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(f"{path}: expected a table's name to end in {' or '.join(SUFFIXES)}")
    if suffix == ".parquet":
        require_parquet()
    return suffix == ".parquet"


def _line(row: Row) -> bytes:
    return json.dumps(row).encode() + b"\n"


def _write_csv(path: Path, rows: Iterable[Row]) -> None:
    with path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        for cells in chain([COLUMNS], (row.values() for row in rows)):
            line = io.StringIO()
            csv.writer(line).writerow(cells)  # its own line end makes it quote carriage returns
            file.write(line.getvalue().removesuffix("\r\n") + "\n")


def _write_parquet(path: Path, rows: Iterable[Row]) -> None:
    import pyarrow
    from pyarrow import parquet

    kinds = [(name, pyarrow.float64()) if name in NUMBERS else (name, pyarrow.string())
             for name in COLUMNS]  # fmt: skip
    schema = pyarrow.schema(kinds)
    clean = (
        {name: without_bytes(cell) if isinstance(cell, str) else cell for name, cell in row.items()}
        for row in rows
    )
    with parquet.ParquetWriter(path, schema) as writer:
        while group := list(islice(clean, ROW_GROUP)):
            writer.write_table(pyarrow.Table.from_pylist(group, schema))


def _read(path: Path) -> Iterator[Row]:
    """The rows of a finished table; numbers that are not there are None.

    Raises:
        UsageError: unreadable, or no table of labels.
    """
    try:
        if _is_parquet(path):
            from pyarrow import parquet

            with parquet.ParquetFile(path) as file:
                for batch in file.iter_batches(columns=list(COLUMNS)):
                    yield from ({name: row[name] for name in COLUMNS} for row in batch.to_pylist())
        else:
            with path.open(encoding="utf-8", errors="surrogateescape", newline="") as text:
                for cells in csv.DictReader(text, strict=True):
                    numbers = {
                        name: float(cells[name]) if cells[name] else None for name in NUMBERS
                    }
                    yield {name: numbers.get(name, cells[name]) for name in COLUMNS}
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise UsageError(f"{path} is not a table of labels: {error}") from error
