"""Versions of the same pictures: a folder, a table or results, and how they are paired."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from facegauge.arrays import Scores
from facegauge.default_scorer import default_scorer
from facegauge.errors import ArgumentTypeError, UsageError
from facegauge.evaluation.pairing import Pairs, best_pairs, name
from facegauge.evaluation.table_scores import TableOptions, is_table, read_scores
from facegauge.images.discovery import find_pictures
from facegauge.images.sources import described, is_picture
from facegauge.progress import track
from facegauge.results import ImageScore
from facegauge.scorer import Scorer
from facegauge.tables.notes import read_notes

StrPath = str | os.PathLike[str]
COMPARED = ("scorer", "version", "sha256", "faces")  # of the settings
SHOWN = 24  # characters of a setting


@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """One version of some pictures.

    Attributes:
        paths: N pictures.
        keys: N names that pictures are paired by: their paths below a folder, or as in a table.
        scores: (N,) nan where there is none.
        reasons: why a picture has no score, by row.
        higher_is_better: of the scores.
        on_label_scale: whether bands apply.
        settings: what the scores depend on, see `Scorer.settings`; empty where it is not known.
    """

    paths: tuple[str, ...]
    keys: tuple[str, ...]
    scores: Scores
    reasons: Mapping[int, str]
    higher_is_better: bool = True
    on_label_scale: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)


def open_version(
    source: StrPath | Iterable[ImageScore],
    scorer: Scorer | None,
    options: TableOptions,
    exclude: Sequence[str] = (),
) -> Version:
    if not isinstance(source, str | os.PathLike):
        results = _results(source)
        return _of_results(results, [one.path for one in results], options.face)
    if Path(source).is_dir():
        paths = list(find_pictures([source], exclude=exclude))
        if not paths:
            raise UsageError(f"no pictures in {source} or its subfolders")
        keys = [os.path.relpath(path, source) for path in paths]
        chosen = scorer or default_scorer()
        scored = track(chosen.score_iter(paths), "scoring", total=len(paths))
        return replace(_of_results(scored, keys, options.face), settings=chosen.settings)
    if not is_table(source):
        raise UsageError(f"expected a folder with pictures or a table of scores, got {source}")
    table = read_scores(source, options)
    sign = -1 if table.lower_better else 1
    folder = table.source.parent
    paths = [path if Path(path).exists() else str(folder / path) for path in table.paths]
    return Version(
        tuple(paths), table.paths, sign * table.scores, table.reasons,
        not table.lower_better, table.on_label_scale, _settings(table.source),
    )  # fmt: skip


def scored_differently(first: Version, second: Version) -> tuple[str, ...]:
    """In what the scores of two versions differ beside the pictures, where it is known of both."""
    a, b = first.settings, second.settings
    unlike = [key for key in COMPARED if key in a and key in b and a[key] != b[key]]
    return tuple(f"{key} {str(a[key])[:SHOWN]} and {str(b[key])[:SHOWN]}" for key in unlike)


def _settings(table: Path) -> Mapping[str, Any]:
    try:
        return read_notes(table).settings
    except UsageError:  # it is another tool's, or its notes are gone
        return {}


def _results(source: Iterable[ImageScore]) -> list[ImageScore]:
    given: object = source
    if isinstance(given, Iterable) and not is_picture(given):
        given = list(given)
        if all(isinstance(one, ImageScore) for one in given):
            return given
    raise ArgumentTypeError(
        "expected a folder with pictures, a table of scores, or results of facegauge.score, got "
        f"{described(given)}"
    )


def _of_results(results: Iterable[ImageScore], keys: Sequence[str], face: str) -> Version:
    scores, reasons, paths = [], {}, []
    for row, result in enumerate(results):
        paths.append(result.path)
        chosen = result.best if face == "best" else next(iter(result.faces), None)
        scores.append(chosen.score if chosen else np.nan)
        if chosen is None:
            reasons[row] = result.message or result.status.value
    return Version(tuple(paths), tuple(keys), np.array(scores, np.float64), reasons)


def pair_keys(left: Sequence[str], right: Sequence[str]) -> Pairs:
    """Pairs by whole keys, keys without suffix, names or names without suffix."""

    def whole(key: str) -> str:
        return key.replace("\\", "/")

    ways = (
        whole,
        lambda key: str(PurePath(whole(key)).with_suffix("")),
        name,
        lambda key: PurePath(name(key)).stem,
    )
    return best_pairs((list(map(way, left)), list(map(way, right))) for way in ways)


def pair_versions(first: Version, second: Version) -> Pairs:
    """Pair the pictures of two versions by `pair_keys`.

    Raises:
        UsageError: not one pair.
    """
    pairs = pair_keys(first.keys, second.keys)
    if not pairs.rows:
        raise UsageError(
            "no picture of the one has the name of one of the other: they have "
            f"{first.keys[0]!r} and {second.keys[0]!r}"
        )
    return pairs


def unpaired(first: Version, second: Version, pairs: Pairs) -> dict[str, str]:
    """Why pictures do not count, by name."""
    left_out = {first.keys[row]: "only in the first" for row in pairs.left_alone}
    left_out |= {second.keys[row]: "only in the second" for row in pairs.right_alone}
    twice = "several pictures have its name"
    left_out |= {first.keys[row]: twice for row in pairs.left_doubled}
    left_out |= {second.keys[row]: twice for row in pairs.right_doubled}
    for left, right in pairs.rows:
        if left in first.reasons:
            left_out[second.keys[right]] = f"the first has no score: {first.reasons[left]}"
        elif right in second.reasons:
            left_out[second.keys[right]] = f"the second has no score: {second.reasons[right]}"
    return left_out
