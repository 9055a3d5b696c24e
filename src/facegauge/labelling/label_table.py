"""Tables of pseudo-labels: a row a picture, resumable while they grow, manifests once finished."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from facegauge.data.manifests import Manifest, relative_path
from facegauge.errors import UsageError
from facegauge.evaluation.logistic import FittedCurve
from facegauge.outputs import make_folder_of
from facegauge.results import Status
from facegauge.schema import Column, Schema
from facegauge.tables.files import check_excel, suffix_of, table_rows, table_schema
from facegauge.tables.formats import Row
from facegauge.tables.held import MAY_PASS
from facegauge.tables.journal import Journal
from facegauge.tables.shards import Listing

Scores = npt.NDArray[np.float64]

SUFFIXES = (".csv", ".parquet")
COLUMNS = Schema(
    [
        Column("image", "str", "The picture, as seen from the table's folder."),
        Column("status", "str", "`ok`, or why there is no label, as in a score table."),
        Column("score", "float", "The label, 0 to 1; empty unless the status is `ok`."),
        Column("raw", "float", "Mean of the views' raw scores, on the network's own scale."),
        Column("spread", "float", "Population standard deviation of the views' raw scores."),
        Column("weight", "float", "Weight of the label in training, exp(-spread), 0 to 1."),
        Column("scorer", "str", "Name of the scorer that gave the label."),
        Column("message", "str", "Why there is no label; empty when there is one."),
    ]
)
"""The columns of a table of pseudo-labels."""
NUMBERS = tuple(column.name for column in COLUMNS if column.type == "float")


@dataclass(frozen=True, slots=True)
class Label:
    """The pseudo-label of one picture; without numbers unless the status is ok.

    Attributes:
        path: of the picture.
        status: as of an `ImageScore`.
        raw: mean of the views' raw scores, on the network's own scale.
        score: the label: `raw` mapped to the scale of the labels and clipped to 0..1.
        spread: population standard deviation of the views' raw scores.
        weight: weight of the label in training, exp(-spread), 0..1; not from the paper.
        message: why there is no label.
    """

    path: Path
    status: Status
    raw: float | None = None
    score: float | None = None
    spread: float | None = None
    weight: float | None = None
    message: str = ""


def label_row(name: str, label: Label, scorer: str) -> Row:
    """The row of a label; the picture's name as the table has it, and the scorer's name."""
    row = {number: getattr(label, number) for number in NUMBERS}
    text = {"image": name, "status": label.status.value, "message": label.message}
    return row | text | {"scorer": scorer}


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
    groups = [name for name in COLUMNS.names if name not in ("image", "score")]
    manifest = Manifest(
        paths=tuple(table.parent / row["image"] for row in rows),
        scores=np.array([row["score"] for row in rows], np.float64),
        splits=None,
        groups={name: tuple(str(row[name]) for row in rows) for name in groups},
        source=table,
    )
    return manifest, np.array([row["weight"] for row in rows], np.float64)


def count_failed(table: str | os.PathLike[str]) -> int:
    """How many rows of a finished table have the status unreadable or error, which may pass.

    Raises:
        UsageError: no table of labels.
        MissingExtra: Parquet without pyarrow.
    """
    return sum(row["status"] in MAY_PASS for row in _read(Path(table)))


class Table:
    """A table of labels and the journal that it grows as; a context manager while it grows.

    Args:
        path: ends in .csv or .parquet.
        excel: whether a CSV table is for spreadsheets.

    Attributes:
        path: as given.
        done: names of the pictures that a resumed table holds.

    Raises:
        UsageError: unknown suffix, a folder that cannot be made, or `excel` and no CSV.
        MissingExtra: Parquet without pyarrow.
    """

    def __init__(self, path: Path, *, excel: bool = False) -> None:
        suffix_of(path, SUFFIXES)
        check_excel(path, excel)
        make_folder_of(path)
        self.path = path
        self._journal = Journal(
            path,
            COLUMNS,
            key="image",
            state="status",
            in_place=False,
            noun="table of labels",
            restart=self.anew,
            excel=excel,
        )

    @property
    def anew(self) -> str:
        """How to start anew, for messages; training has no --overwrite."""
        return f"start anew: delete {self.path.name}* (facegauge label --overwrite does)"

    @property
    def exists(self) -> bool:
        """Whether there is anything to resume or to overwrite."""
        return self._journal.exists

    @property
    def done(self) -> set[str]:
        return self._journal.held.done

    @property
    def failed(self) -> set[str]:
        """Names of the pictures with the status unreadable or error, which may pass."""
        return self._journal.held.failed

    def retry(self, names: Iterable[str]) -> int:
        """Take out the rows of those of these pictures that failed; how many they are.

        Raises:
            OSError: it cannot be written.
        """
        return self._journal.drop_failed(names)

    def is_suspect(self, name: str) -> bool:
        """Whether this picture may have ended an earlier run."""
        return self._journal.held.is_suspect(name)

    def begun(self, name: str) -> None:
        """Note that a picture will be opened, in case it ends the process.

        Raises:
            OSError: it cannot be written.
        """
        self._journal.begun(name)

    def name(self, picture: Path) -> str:
        """A picture's path as seen from the table's folder."""
        return relative_path(picture, self.path.parent)

    def begin(self, settings: Row, mapping: FittedCurve) -> None:
        """An empty table in place of what is there.

        Args:
            settings: what the labels depend on, as JSON types.
            mapping: from raw scores to labels.
        """
        self._journal.begin(settings, {"mapping": asdict(mapping)})

    def resume(self, settings: Row, same_as: Collection[str] = ()) -> FittedCurve:
        """Resume what is there.

        Args:
            settings: what the labels depend on, as JSON types.
            same_as: sha256 of scorers that count as the one of the settings.

        Returns:
            The mapping that the table was begun with.

        Raises:
            UsageError: it was begun with other settings, is damaged, or another process writes it.
        """
        more = self._journal.resume(settings, same_as)
        try:
            return self._mapping(more)
        except UsageError:
            self._journal.close(publish=False)
            raise

    def listed(self, listing: Listing) -> None:
        """Note the list that a shard's pictures are a share of; `merge` compares it."""
        self._journal.note({"listing": listing.to_dict()})

    def write(self, name: str, label: Label, scorer: str) -> None:
        """Append a row.

        Raises:
            OSError: it cannot be written.
        """
        self.append(label_row(name, label, scorer))

    def append(self, row: Row) -> None:
        """Append a row that is made already.

        Raises:
            OSError: it cannot be written.
        """
        self._journal.append([row])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        self._journal.close(publish=kind is None)

    def _mapping(self, more: Mapping[str, Any]) -> FittedCurve:
        try:
            curve = dict(more["mapping"])
            for key in ("logistic", "linear"):
                curve[key] = curve[key] and tuple(map(float, curve[key]))
            return FittedCurve(**curve)
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f"cannot resume {self.path}: {self.path.name}.settings.json, which has the mapping "
                f"of its labels, is damaged; {self.anew}"
            ) from error


def _read(path: Path) -> Iterator[Row]:
    """The rows of a finished table; numbers that are not there are None.

    Raises:
        UsageError: unreadable, or no table of labels.
        MissingExtra: Parquet without pyarrow.
    """
    suffix_of(path, SUFFIXES)
    try:
        yield from table_rows(path, table_schema(path, COLUMNS))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} is not a table of labels: {error}") from error
