"""How well the scores of a run or a scorer agree with the labels of a manifest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from facegauge.arrays import Scores
from facegauge.data.groups import Grouping, groupings, ranges
from facegauge.data.manifests import Manifest
from facegauge.errors import UsageError
from facegauge.evaluation.intervals import FEW
from facegauge.evaluation.logistic import cross_fit
from facegauge.evaluation.metrics import (
    Evaluation,
    GroupGap,
    Interval,
    challenge,
    evaluate,
    group_gaps,
    paired_bootstrap,
    plcc,
    rmse,
    srcc,
)
from facegauge.evaluation.predictions import Predictions
from facegauge.tables.cells import path_to_cell

COMPARED = {"srcc": srcc, "plcc": plcc, "rmse": rmse, "challenge": challenge}


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """An evaluation, ready to be printed or saved.

    Attributes:
        figures: by name: the parts of an ensemble, if any, and "average" or "score".
        groups: by grouping, such as "gender, ethnicity": one gap for each of its groups.
        differences: of this minus the other, on the pictures that both have scored; by figure.
        unscored: the reason why a picture has no score, by path.
        ignored: rows of a table that do not count, by the reason why.
        fitted: whether the difference of the RMSE is that of scores which a logistic has mapped to
            the labels, on both sides, because those of one side have another scale.
    """

    label_name: str
    figures: Mapping[str, Evaluation]
    groups: Mapping[str, Sequence[GroupGap]] = field(default_factory=dict)
    differences: Mapping[str, Interval] = field(default_factory=dict)
    unscored: Mapping[str, str] = field(default_factory=dict)
    ignored: Mapping[str, Sequence[str]] = field(default_factory=dict)
    fitted: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "label": self.label_name,
            "figures": {name: value.to_dict() for name, value in self.figures.items()},
            "groups": [
                {"by": by, **gap.to_dict()} for by, gaps in self.groups.items() for gap in gaps
            ],
            "differences": {
                name: {**value.to_dict(), "n": value.n} for name, value in self.differences.items()
            },
            "differences_fitted": self.fitted,
            "unscored": {path_to_cell(path): why for path, why in self.unscored.items()},
            "ignored": {
                reason: [path_to_cell(name) for name in names]
                for reason, names in self.ignored.items()
            },
        }


def report(
    manifest: Manifest,
    predictions: Predictions,
    *,
    label_name: str = "label",
    by: Iterable[str] = (),
    by_range: bool = False,
    other: Predictions | None = None,
    resamples: int = 1000,
) -> Report:
    """Compare predictions with the manifest's labels; pictures without a score are listed.

    Args:
        manifest: labelled pictures.
        predictions: one for each of them.
        label_name: what the labels are called in print.
        by: group columns to show gaps for, see `groups.groupings`.
        by_range: whether to show gaps for five ranges of the labels too.
        other: predictions for the same manifest to compare with, row by row.
        resamples: of the bootstrap intervals.

    Raises:
        UsageError: there are no labels, no such column, or not one picture has a score.
    """
    labels = manifest.labels()
    scored = np.isfinite(predictions.scores)
    if not scored.any():
        why = next(iter(predictions.unscored.values()), "the manifest is empty")
        raise UsageError(f"none of the {len(manifest)} pictures has a score; the first: {why}")
    named = {**predictions.members, ("average" if predictions.members else "score"): None}
    figures = {
        name: evaluate(
            (predictions.scores if scores is None else scores)[scored],
            labels[scored],
            on_label_scale=predictions.on_label_scale,
            resamples=resamples,
            least=FEW,
        )
        for name, scores in named.items()
    }
    wanted = groupings(manifest.group, [by] if isinstance(by, str) else by)
    if by_range:
        wanted.append(ranges(label_name, labels))
    differences, fitted = {}, False
    if other is not None:
        both = scored & np.isfinite(other.scores)
        raw = predictions.scores[both], other.scores[both], labels[both]
        fitted = not (predictions.on_label_scale and other.on_label_scale)
        sides = (cross_fit(one, labels[both])[0] if fitted else one for one in raw[:2])
        mapped = *sides, labels[both]
        differences = {
            name: paired_bootstrap(
                statistic, *(mapped if statistic is rmse else raw), resamples=resamples, least=FEW
            )
            for name, statistic in COMPARED.items()
        }
    return Report(
        label_name,
        figures,
        _gaps(wanted, predictions.take(scored), labels[scored], scored, resamples),
        differences,
        {str(manifest.paths[row]): why for row, why in predictions.unscored.items()},
        predictions.ignored,
        fitted,
    )


def _gaps(
    wanted: Iterable[Grouping],
    predictions: Predictions,
    labels: Scores,
    scored: npt.NDArray[np.bool_],
    resamples: int,
) -> dict[str, list[GroupGap]]:
    scores = _on_label_scale(predictions, labels)
    gaps = {}
    for grouping in wanted:
        names = grouping.take(scored).names
        gaps[grouping.by] = group_gaps(scores, labels, names, resamples=resamples)
        if grouping.ordered:
            gaps[grouping.by].sort(key=lambda gap: gap.name)
    return gaps


def _on_label_scale(predictions: Predictions, labels: Scores) -> Scores:
    """Finite scores, mapped by a logistic that was fitted to other rows if they need it."""
    if predictions.on_label_scale:
        return predictions.scores
    return cross_fit(predictions.scores, labels)[0]
