"""Manifests: lists of pictures with score, split and group columns, from CSV, Parquet or a folder.

Columns: `image` (path, relative to the manifest's folder), `score` (0..1), `split` (train, val,
...); any other column is a group, such as identity or gender. Only `image` is required.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from facegauge.errors import MissingExtra, UsageError

Scores = npt.NDArray[np.float64]
Row = list[str]


@dataclass(frozen=True, slots=True, eq=False)
class Manifest:
    """N pictures and what is known of each.

    Attributes:
        paths: N files, all of which were there when the manifest was read.
        scores: labels, (N,) in 0..1; None when the manifest has no `score` column.
        splits: N names of splits; None when it has no `split` column.
        groups: every other column, by name: N values.
        source: the file or folder that it was read from.
    """

    paths: tuple[Path, ...]
    scores: Scores | None
    splits: tuple[str, ...] | None
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    source: Path = Path()

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def name(self) -> str:
        """The last two parts of the source: enough to know it by, nothing of the machine."""
        return "/".join(self.source.absolute().parts[-2:])

    def take(self, rows: npt.ArrayLike) -> Manifest:
        """The rows of a boolean mask (N,), or of indices, in the order given."""
        picked = np.asarray(rows)
        if picked.dtype == bool:
            if picked.shape != (len(self),):
                raise UsageError(f"a mask needs {len(self)} values, got {picked.shape}")
            picked = np.flatnonzero(picked)
        order = [int(row) for row in picked]
        return replace(
            self,
            paths=tuple(self.paths[row] for row in order),
            scores=None if self.scores is None else self.scores[order],
            splits=None if self.splits is None else tuple(self.splits[row] for row in order),
            groups={name: tuple(column[row] for row in order) for name, column in self._groups()},
        )

    def where(self, *, split: str) -> Manifest:
        """The rows of one split.

        Raises:
            UsageError: there is no `split` column, or no row with that split.
        """
        if self.splits is None:
            raise UsageError(f"{self.source} has no column split; {self._columns()}")
        chosen = self.take(np.array([name == split for name in self.splits], bool))
        if not len(chosen):
            there = ", ".join(sorted(set(self.splits))) or "none"
            raise UsageError(f"{self.source} has no rows with split {split!r}; it has {there}")
        return chosen

    def labels(self) -> Scores:
        """The scores, (N,).

        Raises:
            UsageError: the manifest has none.
        """
        if self.scores is None:
            raise UsageError(f"{self.source} has no column score; {self._columns()}")
        return self.scores

    def group(self, name: str) -> tuple[str, ...]:
        """A group column, N values.

        Raises:
            UsageError: the manifest has no such column.
        """
        if name not in self.groups:
            own = "no group column" if name in ("image", "score", "split") else "no column"
            raise UsageError(f"{self.source} has {own} {name}; {self._columns()}")
        return self.groups[name]

    def _groups(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        return iter(self.groups.items())

    def _columns(self) -> str:
        own = [name for name, there in (("score", self.scores), ("split", self.splits))
               if there is not None]  # fmt: skip
        return f"its columns are {', '.join(['image', *own, *self.groups])}"


def seen_from(folder: Path, picture: Path) -> str:
    """A picture's path as seen from a folder, absolute only on another drive.

    The picture keeps its name, also where that is a link to a file of another name.
    """
    full = picture.parent.resolve() / picture.name
    try:
        return Path(os.path.relpath(full, folder.resolve())).as_posix()
    except ValueError:
        return full.as_posix()


def load_manifest(
    path: str | os.PathLike[str], root: str | os.PathLike[str] | None = None
) -> Manifest:
    """Read a manifest.

    Args:
        path: a .csv or .parquet file, or a folder: then all pictures below it, without scores.
        root: folder that the names in `image` start from; default: the manifest's own.

    Raises:
        UsageError: naming the row (1 is the header, as a spreadsheet counts) where a file is
            missing or listed twice, or a score is not a number in 0..1; or the missing column.
        MissingExtra: Parquet without pyarrow.
    """
    source = Path(path)
    if source.is_dir():
        return _from_folder(source)
    if not source.is_file():
        raise UsageError(f"no manifest at {source}; expected a .csv or .parquet file, or a folder")
    readers = {".csv": _read_csv, ".parquet": _read_parquet}
    if source.suffix.lower() not in readers:
        raise UsageError(f"{source} is no manifest; expected .csv or .parquet, or a folder")
    header, rows = readers[source.suffix.lower()](source)
    columns = _columns(source, header, rows)
    statuses = columns.get("status")
    scores = _scores(source, columns.pop("score"), statuses) if "score" in columns else None
    paths = _paths(source, columns.pop("image"), Path(root) if root else source.parent)
    splits = columns.pop("split", None)
    manifest = Manifest(paths, scores, splits, columns, source)
    return manifest if scores is None else manifest.take(np.isfinite(scores))


def joined(
    manifests: Sequence[Manifest], split: str = "train"
) -> tuple[Manifest, tuple[Path, ...]]:
    """Several manifests end to end, with a column `manifest` that says where a row is from.

    Args:
        split: of the rows of manifests without a `split` column.

    Returns:
        The whole, with scores if all have them; and the pictures that an earlier manifest has too,
        whose row is the one kept.
    """
    kept: dict[Path, tuple[Manifest, int]] = {}
    again = []
    for part in manifests:
        for row, path in enumerate(part.paths):
            picture = path.parent.resolve() / path.name
            if kept.setdefault(picture, (part, row)) != (part, row):
                again.append(path)
    rows = list(kept.values())
    names = dict.fromkeys(name for part in manifests for name in part.groups)
    groups = {
        name: tuple(part.groups[name][row] if name in part.groups else "" for part, row in rows)
        for name in names
    }
    homes = groups.pop("manifest", ("",) * len(rows))
    homes = tuple(home or part.name for home, (part, _) in zip(homes, rows, strict=True))
    scores = [part.scores[row] for part, row in rows if part.scores is not None]
    whole = Manifest(
        paths=tuple(part.paths[row] for part, row in rows),
        scores=np.array(scores, np.float64) if len(scores) == len(rows) else None,
        splits=tuple(part.splits[row] if part.splits else split for part, row in rows),
        groups={"manifest": homes, **groups},
        source=manifests[0].source,
    )
    return whole, tuple(again)


def unlabelled(manifests: Sequence[Manifest]) -> Manifest:
    """Several manifests as one list of pictures, without labels and splits.

    Of those with a `split` column only the train rows are taken.
    """
    parts = [part if part.splits is None else part.where(split="train") for part in manifests]
    whole, _ = joined(parts)
    return replace(whole, scores=None, splits=None, groups={"manifest": whole.group("manifest")})


def _from_folder(folder: Path) -> Manifest:
    from facegauge.images.discovery import find_pictures

    paths = tuple(Path(name) for name in find_pictures([folder]))
    paths = tuple(path for path in paths if path.is_file())
    if not paths:
        raise UsageError(f"no pictures below {folder}")
    return Manifest(paths, None, None, {}, folder)


def _read_csv(source: Path) -> tuple[Row, list[Row]]:
    try:
        with source.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            rows = list(csv.reader(file))
    except csv.Error as error:
        raise UsageError(f"{source} is not a CSV file: {error}") from error
    except OSError as error:
        raise UsageError(f"cannot read {source}: {error.strerror or error}") from error
    if not rows:
        raise UsageError(f"{source} is empty; expected a header with the column image")
    return rows[0], rows[1:]


def _read_parquet(source: Path) -> tuple[Row, list[Row]]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtra("reading Parquet", "parquet") from error
    try:
        table = parquet.read_table(source)
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise UsageError(f"cannot read {source} as Parquet: {error}") from error
    columns = [
        ["" if value is None else str(value) for value in column.to_pylist()]
        for column in table.columns
    ]
    return list(table.column_names), [list(row) for row in zip(*columns, strict=True)]


def _columns(source: Path, header: Row, rows: list[Row]) -> dict[str, tuple[str, ...]]:
    names = [name.strip() for name in header]
    if "image" not in names:
        raise UsageError(f"{source} has no column image; it has {', '.join(names)}")
    if len(set(names)) < len(names):
        raise UsageError(f"{source} has two columns of one name; it has {', '.join(names)}")
    kept = []
    for number, row in enumerate(rows, start=2):
        if row and len(row) != len(names):
            raise UsageError(
                f"{source}, row {number}: expected {len(names)} fields, got {len(row)}"
            )
        kept.append(row or [""] * len(names))  # a blank line; keeps the count of rows right
    while kept and not any(kept[-1]):
        kept.pop()
    if not kept:
        raise UsageError(f"{source} has a header and no rows")
    return dict(zip(names, zip(*kept, strict=True), strict=True))


def _scores(source: Path, texts: Sequence[str], statuses: Sequence[str] | None) -> Scores:
    """Scores; nan where a table of labels has none and its column `status` says why."""
    scores = np.full(len(texts), np.nan)
    for row, text in enumerate(texts):
        if not text and statuses and statuses[row] not in ("", "ok"):
            continue
        try:
            scores[row] = float(text)
        except ValueError:
            scores[row] = np.nan
        if not 0 <= scores[row] <= 1:
            raise UsageError(f"{source}, row {row + 2}: expected a score from 0 to 1, got {text!r}")
    return scores


def _paths(source: Path, names: Sequence[str], root: Path) -> tuple[Path, ...]:
    paths: list[Path] = []
    seen: dict[Path, int] = {}
    for number, name in enumerate(names, start=2):
        path = root / name
        if "\\" in name and not path.is_file():
            path = root / name.replace("\\", "/")
        if not name or not path.is_file():
            raise UsageError(f"{source}, row {number}: no picture at {str(path)!r}")
        if path in seen:
            raise UsageError(f"{source}, rows {seen[path]} and {number}: both list {name!r}")
        seen[path] = number
        paths.append(path)
    return tuple(paths)
