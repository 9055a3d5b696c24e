"""Manifests: lists of pictures with score, split and group columns, from a file or a folder.

Columns: `image` (path relative to the manifest's folder), `score` (0..1, or another scale that is
mapped to it), `split` (train, val, ...). Any other column is a group, such as identity or gender.
Only `image` is required. The tables of `facegauge score` are manifests too, see `load_manifest`.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from facegauge.arrays import Scores
from facegauge.data.label_scale import UNIT, LabelScale
from facegauge.data.list_files import EXPECTED, IMAGE, PATH, Columns, read_columns, require_column
from facegauge.errors import UsageError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Manifest:
    """N pictures with their labels, splits and groups.

    Attributes:
        paths: N files; those of a list existed when it was read with `must_exist`.
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

    @property
    def folder(self) -> Path:
        """The source itself if it is a folder, otherwise the one that it is in."""
        return self.source if self.source.is_dir() else self.source.parent

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
        return self.take(self.in_split(split))

    def in_split(self, split: str) -> npt.NDArray[np.bool_]:
        """Whether each row is of a split, (N,); "all": every row.

        Raises:
            UsageError: there is no `split` column, or no row has that split.
        """
        if split == "all":
            return np.ones(len(self), bool)
        if self.splits is None:
            raise UsageError(self._lacks("split"))
        rows = np.array([name == split for name in self.splits], bool)
        if not rows.any():
            names = ", ".join(sorted(set(self.splits))) or "none"
            raise UsageError(f"{self.source} has no rows with split {split!r}; it has {names}")
        return rows

    def labels(self) -> Scores:
        """The scores as an array (N,).

        Raises:
            UsageError: the manifest has no `score` column.
        """
        if self.scores is None:
            raise UsageError(self._lacks("score"))
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

    def _lacks(self, column: str) -> str:
        if self.source.is_dir():
            return (
                f"{self.source} is a folder of pictures, which have no {column}; expected a list, "
                f"such as a CSV file with the columns image and {column}"
            )
        return f"{self.source} has no column {column}; {self._columns()}"

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
    path: str | os.PathLike[str],
    root: str | os.PathLike[str] | None = None,
    scale: LabelScale = UNIT,
    *,
    must_exist: bool = True,
    exclude: Sequence[str] = (),
) -> Manifest:
    """Read a manifest.

    A table of `facegauge score` has its pictures in `path` instead of `image`, as they were given:
    relative to the current folder, if they are not in the table's. Of a picture with several faces
    the first row counts, its largest face. Its scores are a scorer's; a warning says so.

    Args:
        path: a .csv, .jsonl or .parquet file, or a folder. A folder gives all pictures in it and in
            its subfolders, without scores, and those that cannot be read too, such as dangling
            links.
        root: folder that the paths in `image` are relative to; default: the manifest's folder.
        scale: of the labels in `score`, which become 0..1.
        must_exist: whether a picture that a list names and that is not there is an error.
        exclude: patterns of files and folders to skip in a folder, see `images.find_pictures`.

    Raises:
        UsageError: `exclude` and no folder, a file is missing or listed twice, a score is not a
            number on the scale (the message gives the row; the header is row 1), or a column is
            missing.
        MissingExtra: the manifest is Parquet and pyarrow is not installed.
    """
    source = Path(path)
    if source.is_dir():
        return _from_folder(source, exclude)
    if exclude:
        raise UsageError(f"--exclude goes with a folder of pictures, and {source} is none")
    if not source.is_file():
        raise UsageError(f"no manifest at {source}; expected {EXPECTED}, or a folder")
    columns, roots = read_columns(source), [Path(root) if root else source.parent]
    require_column(columns, (IMAGE, PATH), source)
    rows = np.arange(len(next(iter(columns.values()))))
    if IMAGE not in columns:
        columns[IMAGE] = columns.pop(PATH)
        rows, roots = _first_faces(source, columns), [*roots, Path()]
    scores = None
    if "score" in columns:
        found = _scores(source, columns.pop("score"), columns.get("status"), scale)
        rows = rows[np.isfinite(found[rows])]
        scores = found[rows]
        if not len(rows):
            raise UsageError(f"{source}: none of its {len(found)} rows has a score")
    columns = {name: tuple(values[row] for row in rows) for name, values in columns.items()}
    paths = _paths(source, (rows + 2).tolist(), columns.pop(IMAGE), roots, must_exist)
    return Manifest(paths, scores, columns.pop("split", None), columns, source)


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


def _from_folder(folder: Path, exclude: Sequence[str]) -> Manifest:
    from facegauge.images.discovery import find_pictures
    from facegauge.images.suffixes import in_words

    left_out: Counter[str] = Counter()
    paths = tuple(Path(name) for name in find_pictures([folder], left_out, exclude))
    if line := in_words(left_out):
        logger.info("%s: %s", folder, line)
    if not paths:
        raise UsageError(f"no pictures in {folder} or its subfolders")
    return Manifest(paths, None, None, {}, folder)


def _first_faces(source: Path, columns: Columns) -> npt.NDArray[np.int64]:
    """The first row of every picture in a score table."""
    if "score" in columns:
        logger.warning("%s is a table of scores: a scorer gave them, not people", source)
    first: dict[str, int] = {}
    for row, name in enumerate(columns[IMAGE]):
        first.setdefault(name, row)
    return np.array(list(first.values()), np.int64)


def _scores(
    source: Path, texts: Sequence[str], statuses: Sequence[str] | None, scale: LabelScale
) -> Scores:
    """The scores; nan where the `status` column of a table explains why there is none."""
    scores = np.full(len(texts), np.nan)
    for row, text in enumerate(texts):
        if not text and statuses and statuses[row] not in ("", "ok"):
            continue
        try:
            label = float(text)
        except ValueError:
            label = np.nan
        if label not in scale:
            hint = ""
            if scale is UNIT and np.isfinite(label):
                hint = (
                    "; give the ends of another scale with --scale LOW,HIGH, such as 1,5 (for "
                    "verbs without it facegauge data split --scale writes a list of 0 to 1)"
                )
            raise UsageError(
                f"{source}, row {row + 2}: expected a score from {scale.low:g} to "
                f"{scale.high:g}, got {text!r}{hint}"
            )
        scores[row] = label
    return scale.to_unit(scores)


def _paths(
    source: Path,
    numbers: Sequence[int],
    names: Sequence[str],
    roots: Sequence[Path],
    must_exist: bool,
) -> tuple[Path, ...]:
    rows: dict[Path, int] = {}
    for number, name in zip(numbers, names, strict=True):
        path = _found(name, roots) or (roots[0] / name if name and not must_exist else None)
        if path is None:
            tried = " or ".join(repr(str(root / name)) for root in roots)
            raise UsageError(f"{source}, row {number}: no picture at {tried}")
        if path in rows:
            raise UsageError(f"{source}, rows {rows[path]} and {number}: both list {name!r}")
        rows[path] = number
    return tuple(rows)


def _found(name: str, roots: Sequence[Path]) -> Path | None:
    """The picture under the first of the folders that has it; `\\` may stand for `/`."""
    spellings = dict.fromkeys([name, name.replace("\\", "/")]) if name else {}
    places = (root / spelling for root in roots for spelling in spellings)
    return next((place for place in places if place.is_file()), None)
