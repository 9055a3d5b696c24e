"""Two versions of the same pictures: which is better, by how much, and how sure that is."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from facegauge.arrays import Scores
from facegauge.calibration import BANDS, band
from facegauge.errors import PictureError, UsageError
from facegauge.evaluation.fidelity import psnr, ssim
from facegauge.evaluation.intervals import RESAMPLES, Interval, mean_of, share_of
from facegauge.evaluation.table_scores import OURS, TableOptions
from facegauge.evaluation.versions import (
    open_version,
    pair_keys,
    pair_versions,
    scored_differently,
    unpaired,
)
from facegauge.images.discovery import find_pictures
from facegauge.images.loading import open_picture
from facegauge.progress import track
from facegauge.results import ImageScore
from facegauge.scorer import Scorer

StrPath = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class BandChange:
    """Pictures of one band of the first version.

    Attributes:
        band: the word.
        n: pictures of the first version in this band.
        n_after: pictures of the second version in this band, whatever they were before.
        difference: mean of second - first of the n pictures.
        better: share of the n that got better, 0..1.
    """

    band: str
    n: int
    n_after: int
    difference: Interval
    better: Interval


@dataclass(frozen=True, slots=True, eq=False)
class Fidelity:
    """Likeness of both versions to a reference.

    Attributes:
        a, b: (N,) the values of the two versions; nan where there is no reference of that size.
        mean_a, mean_b: means over the pictures whose value is finite in that version.
        difference: mean of second - first, over the pictures whose values are finite in both.
        equal_a, equal_b: pictures of a version that equal their reference: their PSNR is infinite.
    """

    a: Scores
    b: Scores
    mean_a: Interval
    mean_b: Interval
    difference: Interval
    equal_a: int
    equal_b: int

    def to_dict(self) -> dict[str, Any]:
        """JSON types, without the pictures."""
        ends = {key: getattr(self, key) for key in ("mean_a", "mean_b", "difference")}
        means = {key: value.to_dict() for key, value in ends.items()}
        counts = {"n": self.difference.n, "n_a": self.mean_a.n, "n_b": self.mean_b.n}
        return {**counts, "equal_a": self.equal_a, "equal_b": self.equal_b, **means}


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """N pictures in two versions that both have a score.

    Attributes:
        names: N names, from the second version.
        a, b: (N,) scores of the first and the second version.
        mean_a, mean_b: mean scores.
        difference: mean of second - first.
        better: share of pictures whose second version is better, 0..1; equal ones are not.
        higher_is_better: of the scores; False only for other tools' tables.
        bands: by band of the first version; empty where bands do not apply.
        fidelity: with a reference, by "psnr" (dB) and "ssim".
        left_out: why a picture does not count, by name.
        unlike: in what the scores differ beside the pictures, such as "scorer mobile and mspt".
    """

    names: tuple[str, ...]
    a: Scores
    b: Scores
    mean_a: Interval
    mean_b: Interval
    difference: Interval
    better: Interval
    higher_is_better: bool
    bands: tuple[BandChange, ...] = ()
    fidelity: Mapping[str, Fidelity] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    unlike: tuple[str, ...] = ()

    def most_changed(self, n: int = 10) -> list[int]:
        """Rows of the n pictures that changed most, the greatest first; none without a change."""
        changes = np.abs(self.b - self.a)
        return [int(row) for row in np.argsort(-changes, kind="stable")[:n] if changes[row] > 0]

    def to_dict(self) -> dict[str, Any]:
        """The comparison in JSON types, with every picture."""
        ends = {key: getattr(self, key) for key in ("mean_a", "mean_b", "difference", "better")}
        columns = {"a": self.a, "b": self.b} | {
            f"{key}_{side}": getattr(value, side)
            for key, value in self.fidelity.items()
            for side in ("a", "b")
        }
        rows = zip(*(column.tolist() for column in columns.values()), strict=True)
        return {
            "n": len(self.names),
            "higher_is_better": self.higher_is_better,
            "unlike": list(self.unlike),
            **{key: value.to_dict() for key, value in ends.items()},
            "bands": [
                {"band": one.band, "n": one.n, "n_after": one.n_after}
                | {"difference": one.difference.to_dict(), "better": one.better.to_dict()}
                for one in self.bands
            ],
            **{key: value.to_dict() for key, value in self.fidelity.items()},
            "left_out": dict(self.left_out),
            "pictures": [
                {"name": one}
                | {k: v if np.isfinite(v) else None for k, v in zip(columns, row, strict=True)}
                for one, row in zip(self.names, rows, strict=True)
            ],
        }


def compare(
    a: StrPath | Iterable[ImageScore],
    b: StrPath | Iterable[ImageScore],
    *,
    reference: StrPath | None = None,
    scorer: Scorer | None = None,
    options: TableOptions = OURS,
    exclude: Sequence[str] = (),
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Comparison:
    """Compare two versions of the same pictures, such as before and after a restoration.

    Pictures are paired by their paths below the folders, or by these without suffix, or by file
    name, or by that without suffix, whichever pairs most.

    Args:
        a: the first version: a folder with pictures, a table of scores, or results.
        b: the second version.
        reference: folder with the true pictures, for PSNR and SSIM; paired by the same rules.
        scorer: for folders; the default scorer if None.
        options: for tables; `face` also for folders and results.
        exclude: patterns of files and folders to skip in folders, see `images.find_pictures`.
        resamples: of the bootstrap intervals, over pictures.
        seed: of these intervals.

    Raises:
        UsageError: there is no such folder or table, or no picture has a score in both.
        ScorerError: the scorer is damaged.
    """
    first, second = (open_version(one, scorer, options, exclude) for one in (a, b))
    pairs = pair_versions(first, second)
    left_out = unpaired(first, second, pairs)
    rows = [
        (left, right)
        for left, right in pairs.rows
        if np.isfinite(first.scores[left]) and np.isfinite(second.scores[right])
    ]
    if not rows:
        why = next(iter(left_out.values()))
        raise UsageError(f"no picture has a score in both versions; the first: {why}")
    if first.higher_is_better != second.higher_is_better:
        raise UsageError("higher scores are better in one table and worse in the other")
    names = tuple(second.keys[right] for _, right in rows)
    x = first.scores[[left for left, _ in rows]]
    y = second.scores[[right for _, right in rows]]
    sign = 1 if first.higher_is_better else -1
    mean_a, mean_b, difference = (mean_of(one, resamples, seed=seed) for one in (x, y, y - x))
    if not (y - x).any():  # one version under two names
        difference = Interval(0.0, 0.0, 0.0, len(rows))
    better = share_of(sign * (y - x) > 0, resamples, seed=seed)
    fidelity: dict[str, Fidelity] = {}
    if reference is not None:
        files = [(first.paths[left], second.paths[right]) for left, right in rows]
        fidelity, missing = _fidelity(
            names, files, Path(reference), exclude, resamples=resamples, seed=seed
        )
        left_out |= missing
    scaled = first.on_label_scale and second.on_label_scale
    bands = _bands(x, y, resamples, seed) if scaled else ()
    return Comparison(
        names, x, y, mean_a, mean_b, difference, better,
        first.higher_is_better, bands, fidelity, left_out, scored_differently(first, second),
    )  # fmt: skip


def _bands(a: Scores, b: Scores, resamples: int, seed: int) -> tuple[BandChange, ...]:
    before, after = (np.array([band(score) for score in side.tolist()]) for side in (a, b))
    changes = []
    for word in BANDS:
        rows = before == word
        change = (b - a)[rows]
        figures = mean_of(change, resamples, seed=seed), share_of(change > 0, resamples, seed=seed)
        if rows.any() or (after == word).any():
            changes.append(BandChange(word, int(rows.sum()), int((after == word).sum()), *figures))
    return tuple(changes)


def _fidelity(
    names: Sequence[str],
    files: Sequence[tuple[str, str]],
    folder: Path,
    exclude: Sequence[str],
    *,
    resamples: int,
    seed: int,
) -> tuple[dict[str, Fidelity], dict[str, str]]:
    """PSNR and SSIM of both versions, and why pictures have none, by name."""
    if not folder.is_dir():
        raise UsageError(f"expected a folder with the reference pictures, got {folder}")
    truths = list(find_pictures([folder], exclude=exclude))
    pairs = pair_keys([os.path.relpath(path, folder) for path in truths], names)
    if not pairs.rows:
        raise UsageError(f"no picture in {folder} has the name of a compared one, as {names[0]!r}")
    measures = {"psnr": psnr, "ssim": ssim}
    values = {key: np.full((2, len(names)), np.nan) for key in measures}
    missing = {names[row]: "no reference" for row in pairs.right_alone}
    missing |= {names[row]: "several references have its name" for row in pairs.right_doubled}
    for left, row in track(pairs.rows, "measuring PSNR and SSIM", total=len(pairs.rows)):
        try:
            truth = open_picture(truths[left])
            versions = [open_picture(path) for path in files[row]]
            for key, measure in measures.items():
                values[key][:, row] = [measure(pixels, truth) for pixels in versions]
        except (PictureError, UsageError) as error:
            missing[names[row]] = f"no PSNR and SSIM: {error}"
    found = {}
    for key, (a, b) in values.items():
        both = np.isfinite(a) & np.isfinite(b)
        mean_a, mean_b, difference = (
            mean_of(values, resamples, seed=seed)
            for values in (a[np.isfinite(a)], b[np.isfinite(b)], b[both] - a[both])
        )
        equal_a, equal_b = (int(np.isinf(side).sum()) for side in (a, b))
        found[key] = Fidelity(a, b, mean_a, mean_b, difference, equal_a, equal_b)
    return found, missing
