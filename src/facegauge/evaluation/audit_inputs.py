"""An audit from files: a table of scores joined to a list with columns of groups."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facegauge.arrays import Scores
from facegauge.data.groups import Grouping, groupings
from facegauge.data.label_scale import UNIT, LabelScale
from facegauge.data.manifests import Manifest, load_manifest
from facegauge.errors import UsageError
from facegauge.evaluation.audit import Audit, audit
from facegauge.evaluation.counterfactual import Drops, score_drops
from facegauge.evaluation.predictions import join_table
from facegauge.evaluation.table_scores import OURS, TableOptions, TableScores, read_scores
from facegauge.factors.skin import Skin
from facegauge.predictors import open_predictor
from facegauge.tables.notes import read_notes

SKIN = tuple(column.name for column in Skin.columns)
Track = Callable[[Iterator[Scores], Manifest], Iterator[Scores]]


@dataclass(frozen=True, slots=True)
class AuditedTable:
    """An audit, and what did not count in it.

    Attributes:
        audit: of the pictures with a score.
        skin: by group, medians of the columns of the factor `skin`; empty unless asked for.
        unscored: why pictures of the list do not count, by path.
        ignored: rows of the table that do not count, by reason.
        without_drop: pictures that have a score in the table, but not when they are scored again
            for their drops.
        lower_better: whether the audit's scores and threshold are the table's with the other sign.
    """

    audit: Audit
    skin: Sequence[dict[str, float | str | None]]
    unscored: Mapping[str, str]
    ignored: Mapping[str, Sequence[str]]
    without_drop: Sequence[str] = ()
    lower_better: bool = False


def audit_table(
    table: str | os.PathLike[str],
    data: str | os.PathLike[str],
    by: Iterable[str],
    *,
    scale: LabelScale = UNIT,
    accept: float | None = None,
    alike: Sequence[str] = (),
    skin: bool = False,
    counterfactual: bool = False,
    scorer: str | None = None,
    faces: str | None = None,
    options: TableOptions = OURS,
    track: Track = lambda rows, manifest: rows,
) -> AuditedTable:
    """Audit a table of scores by the columns of a list.

    Args:
        table: see `table_scores.read_scores`.
        data: the list; its pictures need not be there without `counterfactual`. Labels are used if
            it has any and the scores are on their scale.
        by: see `data.groups.groupings`.
        scale: of the labels.
        accept: see `audit.audit`; where lower scores are better, the greatest one that is accepted.
        alike: columns of the table, see `audit.audit`.
        skin: whether to show the columns of the factor `skin`, which the table needs to have.
        counterfactual: whether to score degraded copies.
        scorer: that scores them; None: the one that made the table.
        faces: "auto" or "whole"; None: as the table was made.
        options: how the table is read.
        track: passes on one item a picture, for a progress bar.

    Raises:
        UsageError: a missing column or file, an empty join, a group alone; a table whose scorer is
            not known or has changed.
    """
    if accept is not None and not np.isfinite(accept):
        raise UsageError(f"expected the score to accept to be a finite number, got {accept}")
    manifest = load_manifest(data, scale=scale, must_exist=counterfactual)
    wanted = groupings(manifest.group, by)
    opened = read_scores(table, options)
    predictions = join_table(opened, manifest, options.join)
    rows = np.isfinite(predictions.scores)
    if not rows.any():
        raise UsageError(f"no picture of {data} has a score in {table}")
    kept = [grouping.take(rows) for grouping in wanted]
    numbers = {name: _numbers(opened, name, manifest, options.join)[rows] for name in alike}
    colours = {}
    if skin:
        if missing := [name for name in SKIN if name not in opened.columns]:
            raise UsageError(
                f"{table} has no column {missing[0]}; make it with facegauge score --factor skin"
            )
        colours = {name: _numbers(opened, name, manifest, options.join)[rows] for name in SKIN}
    drops = None
    if counterfactual:
        drops = _drops(opened.source, manifest.take(rows), scorer, faces, track)
    labels = manifest.scores if predictions.on_label_scale else None
    found = audit(
        predictions.scores[rows],
        kept,
        labels=None if labels is None else labels[rows],
        accept=-accept if accept is not None and opened.lower_better else accept,
        alike=numbers,
        drops=drops,
    )
    unscored = {str(manifest.paths[row]): why for row, why in predictions.unscored.items()}
    without_drop: list[str] = []
    if drops is not None:
        gone = np.isnan(np.stack([drops.mean(kind) for kind in drops.values])).any(0)
        without_drop = [str(manifest.paths[row]) for row in np.flatnonzero(rows)[gone].tolist()]
    return AuditedTable(
        found,
        skin_medians(kept, colours),
        unscored,
        predictions.ignored,
        without_drop,
        opened.lower_better,
    )


def skin_medians(
    kept: Iterable[Grouping], colours: Mapping[str, Scores]
) -> list[dict[str, float | str | None]]:
    """Medians by group of the skin's columns; none without columns."""
    medians: list[dict[str, float | str | None]] = []
    for grouping in kept if colours else ():
        for name in sorted(set(grouping.names)):
            rows = np.array([one == name for one in grouping.names])
            known = [column[rows][np.isfinite(column[rows])] for column in colours.values()]
            figures = {
                key: float(np.median(one)) if len(one) else None
                for key, one in zip(colours, known, strict=True)
            }
            medians.append({"by": grouping.by, "name": name, "n": len(known[0]), **figures})
    return medians


def _numbers(table: TableScores, name: str, manifest: Manifest, join: str) -> Scores:
    """A column of the table as numbers for the pictures of a list, nan where there is none."""
    if name not in table.columns:
        raise UsageError(
            f"{table.source} has no column {name}; its columns are {', '.join(table.columns)}"
        )
    values = np.full(len(manifest), np.nan)
    pairs = table.join([str(path) for path in manifest.paths], join, manifest.folder)
    for left, right in pairs.rows:
        text = table.columns[name][left]
        try:
            values[right] = float(text) if text else np.nan
        except ValueError:
            raise UsageError(
                f"{table.source}: expected numbers in the column {name}, got {text!r}"
            ) from None
    if not np.isfinite(values).any():
        raise UsageError(f"{table.source} has no number in the column {name}")
    return values


def _drops(
    table: Path, manifest: Manifest, scorer: str | None, faces: str | None, track: Track
) -> Drops:
    """Drops by the table's own scorer, if no other is named."""
    settings: Mapping[str, object] = {}
    try:
        settings = read_notes(table).settings
    except UsageError as error:
        if scorer is None:
            raise UsageError(f"{error}; name the scorer with --scorer") from error
    predictor = open_predictor(scorer or str(settings.get("scorer")))
    if scorer is None and settings.get("sha256") != predictor.fingerprint:
        raise UsageError(
            f"{table} was made by another {predictor.name} than the one installed; score the "
            "pictures again, or name a scorer with --scorer"
        )
    whole = settings.get("faces") == "whole"
    chosen = faces or ("whole" if whole else "auto")
    return score_drops(predictor, manifest, chosen, track=lambda rows: track(rows, manifest))
