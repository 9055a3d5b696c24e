"""Manifests: lists of pictures with score, split and group columns, from CSV, Parquet or a folder.

Columns: `image` (path relative to the manifest's folder), `score` (0..1), `split` (train, val,
...). Any other column is a group, such as identity or gender. Only `image` is required.
"""

from __future__ import annotations

import csv
import logging
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from facegauge.arrays import Scores
from facegauge.errors import MissingExtra, UsageError

logger = logging.getLogger(__name__)

Row = list[str]


@dataclass(frozen=True, slots=True, eq=False)
class Manifest:
    """N pictures with their labels, splits and groups.

    Attributes:
        paths: N files, all of which existed when the manifest was read.
        scores: labels, (N,) in 0..1; None without a `score` column.
        splits: N names of splits; None without a `split` column.
        groups: every other column by name, N values each.
        source: the file or folder that the manifest was read from.
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
        """The last two parts of the source's path: identifies it without machine paths."""
        return "/".join(self.source.absolute().parts[-2:])

    def take(self, rows: npt.ArrayLike) -> Manifest:
        """Select rows.

        Args:
            rows: a boolean mask (N,), or integer indices in the wanted order.

        Raises:
            UsageError: the mask has another shape.
        """
        indices = np.asarray(rows)
        if indices.dtype == bool:
            if indices.shape != (len(self),):
                raise UsageError(f"expected a mask of shape ({len(self)},), got {indices.shape}")
            indices = np.flatnonzero(indices)
        order = [int(row) for row in indices]
        return replace(
            self,
            paths=tuple(self.paths[row] for row in order),
            scores=None if self.scores is None else self.scores[order],
            splits=None if self.splits is None else tuple(self.splits[row] for row in order),
            groups={
                name: tuple(column[row] for row in order) for name, column in self.groups.items()
            },
        )

    def where(self, *, split: str) -> Manifest:
        """Select the rows of one split.

        Raises:
            UsageError: there is no `split` column, or no row has that split.
        """
        if self.splits is None:
            raise UsageError(f"{self.source} has no column split; {self._columns()}")
        selected = self.take(np.array([name == split for name in self.splits], bool))
        if not len(selected):
            names = ", ".join(sorted(set(self.splits))) or "none"
            raise UsageError(f"{self.source} has no rows with split {split!r}; it has {names}")
        return selected

    def labels(self) -> Scores:
        """The scores as an array (N,).

        Raises:
            UsageError: the manifest has no `score` column.
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
            what = "no group column" if name in ("image", "score", "split") else "no column"
            raise UsageError(f"{self.source} has {what} {name}; {self._columns()}")
        return self.groups[name]

    def _columns(self) -> str:
        optional = {"score": self.scores, "split": self.splits}
        present = [name for name, values in optional.items() if values is not None]
        return f"its columns are {', '.join(['image', *present, *self.groups])}"


def relative_path(picture: Path, folder: Path) -> str:
    """A picture's path relative to a folder, with `/`; absolute only if it is on another drive.

    Links in the folders are resolved, but not the picture's own name.
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
        path: a .csv or .parquet file, or a folder. A folder gives all pictures in it and in its
            subfolders, without scores.
        root: folder that the paths in `image` are relative to; default: the manifest's folder.

    Raises:
        UsageError: a file is missing or listed twice, a score is not a number in 0..1 (the message
            gives the row; the header is row 1), or a column is missing.
        MissingExtra: the manifest is Parquet and pyarrow is not installed.
    """
    source = Path(path)
    if source.is_dir():
        return _from_folder(source)
    if not source.is_file():
        raise UsageError(f"no manifest at {source}; expected a .csv or .parquet file, or a folder")
    readers = {".csv": _read_csv, ".parquet": _read_parquet}
    if source.suffix.lower() not in readers:
        raise UsageError(f"{source} is not a manifest; expected a .csv or .parquet file")
    header, rows = readers[source.suffix.lower()](source)
    columns = _columns(source, header, rows)
    statuses = columns.get("status")
    scores = _scores(source, columns.pop("score"), statuses) if "score" in columns else None
    paths = _paths(source, columns.pop("image"), Path(root) if root else source.parent)
    splits = columns.pop("split", None)
    manifest = Manifest(paths, scores, splits, columns, source)
    return manifest if scores is None else manifest.take(np.isfinite(scores))


def join_manifests(
    manifests: Sequence[Manifest], split: str = "train"
) -> tuple[Manifest, tuple[Path, ...]]:
    """Concatenate manifests; a column `manifest` names the manifest of each row.

    Args:
        manifests: one or more; a picture in several of them keeps the row of the first.
        split: for the rows of manifests without a `split` column.

    Returns:
        The joined manifest, which has scores if all rows have them; and the pictures that were
        left out because an earlier manifest lists them.
    """
    first: dict[Path, tuple[Manifest, int]] = {}
    duplicates = []
    for manifest in manifests:
        for row, path in enumerate(manifest.paths):
            picture = path.parent.resolve() / path.name
            if first.setdefault(picture, (manifest, row)) != (manifest, row):
                duplicates.append(path)
    rows = list(first.values())
    names = dict.fromkeys(name for manifest in manifests for name in manifest.groups)
    groups = {
        name: tuple(m.groups[name][row] if name in m.groups else "" for m, row in rows)
        for name in names
    }
    origins = groups.pop("manifest", ("",) * len(rows))
    origins = tuple(origin or m.name for origin, (m, _) in zip(origins, rows, strict=True))
    scores = [m.scores[row] for m, row in rows if m.scores is not None]
    whole = Manifest(
        paths=tuple(m.paths[row] for m, row in rows),
        scores=np.array(scores, np.float64) if len(scores) == len(rows) else None,
        splits=tuple(m.splits[row] if m.splits else split for m, row in rows),
        groups={"manifest": origins, **groups},
        source=manifests[0].source,
    )
    return whole, tuple(duplicates)


def join_unlabelled(manifests: Sequence[Manifest]) -> Manifest:
    """Concatenate manifests without their labels and splits.

    From manifests with a `split` column, only the rows of train are taken.
    """
    parts = [m if m.splits is None else m.where(split="train") for m in manifests]
    whole, _ = join_manifests(parts)
    return replace(whole, scores=None, splits=None, groups={"manifest": whole.group("manifest")})


def _from_folder(folder: Path) -> Manifest:
    from facegauge.images.discovery import find_pictures
    from facegauge.images.suffixes import in_words

    left_out: Counter[str] = Counter()
    paths = tuple(Path(name) for name in find_pictures([folder], left_out))
    paths = tuple(path for path in paths if path.is_file())
    if line := in_words(left_out):
        logger.info("%s: %s", folder, line)
    if not paths:
        raise UsageError(f"no pictures in {folder} or its subfolders")
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
        raise UsageError(f"{source} has no column image; its columns are {', '.join(names)}")
    if len(set(names)) < len(names):
        raise UsageError(f"{source} has two columns of one name; it has {', '.join(names)}")
    complete = []
    for number, row in enumerate(rows, start=2):
        if row and len(row) != len(names):
            raise UsageError(
                f"{source}, row {number}: expected {len(names)} fields, got {len(row)}"
            )
        complete.append(row or [""] * len(names))  # a blank line still counts as a row
    while complete and not any(complete[-1]):
        complete.pop()
    if not complete:
        raise UsageError(f"{source} has a header and no rows")
    return dict(zip(names, zip(*complete, strict=True), strict=True))


def _scores(source: Path, texts: Sequence[str], statuses: Sequence[str] | None) -> Scores:
    """The scores; nan where the `status` column of a label table explains why there is none."""
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
    rows: dict[Path, int] = {}
    for number, name in enumerate(names, start=2):
        path = root / name
        if "\\" in name and not path.is_file():
            path = root / name.replace("\\", "/")
        if not name or not path.is_file():
            raise UsageError(f"{source}, row {number}: no picture at {str(path)!r}")
        if path in rows:
            raise UsageError(f"{source}, rows {rows[path]} and {number}: both list {name!r}")
        rows[path] = number
    return tuple(rows)
