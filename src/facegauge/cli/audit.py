"""`facegauge audit`: are groups of people scored alike?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facegauge.cli.label_scale import Scale, scale_of
from facegauge.cli.outputs import Overwrite
from facegauge.cli.progress import with_progress
from facegauge.cli.table_options import (
    Face,
    Join,
    LowerBetter,
    Output,
    PathColumn,
    ScoreColumn,
    interval,
    print_left_out,
    write_json,
)
from facegauge.cli.terminal import print_table, tell, with_noun
from facegauge.outputs import check_output

if TYPE_CHECKING:
    from facegauge.evaluation.audit import Audit
    from facegauge.evaluation.intervals import Interval

SKIN_NOTE = (
    "Apparent skin colour of the cheeks, medians. It is the picture's, not the person's: "
    "the two cheeks of a face differ, and darkening moves the angle by tens of degrees "
    "(docs/fairness.md). Do not sort people by it."
)
NEAR_ZERO = "A gap whose interval contains 0 is shown neither to be there nor to be absent."


def audit(
    table: Annotated[
        Path,
        typer.Argument(
            metavar="TABLE", help="Table of scores: of facegauge, or of another tool, see evaluate"
        ),
    ],
    *,
    data: Annotated[
        Path, typer.Option(help="Manifest with image and columns of groups, such as gender")
    ],
    by: Annotated[
        list[str],
        typer.Option(
            metavar="COLUMN",
            help="Column of the manifest. A,B: both and their crossing. May be repeated",
        ),
    ],
    scale: Scale = None,
    accept: Annotated[
        float | None,
        typer.Option(
            metavar="T",
            help="Least score that is accepted, with --lower-better the greatest; "
            "adds shares accepted",
        ),
    ] = None,
    alike: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN",
            help="Column of numbers in the table, such as face_width; adds the gap that is left "
            "among pictures alike in it. May be repeated",
        ),
    ] = None,
    counterfactual: Annotated[
        bool,
        typer.Option(
            "--counterfactual",
            help="Score degraded copies of every picture too, and compare how far groups fall",
        ),
    ] = False,
    scorer: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FOLDER", help="Scorer for --counterfactual  [default: the table's own]"
        ),
    ] = None,
    faces: Annotated[
        str | None,
        typer.Option(
            metavar="auto|whole",
            help="Faces for --counterfactual  [default: whole if the table is, otherwise auto]",
        ),
    ] = None,
    skin: Annotated[
        bool,
        typer.Option(
            "--skin", help="Show the apparent skin colours of a table with --factor skin, by group"
        ),
    ] = False,
    path_column: PathColumn = None,
    score_column: ScoreColumn = None,
    lower_better: LowerBetter = False,
    face: Face = "0",
    join: Join = "path",
    output: Output = None,
    overwrite: Overwrite = False,
) -> None:
    """Compare the scores of groups of people: means, gaps, shares accepted, errors.

    Every interval is widened for the number of groups (Bonferroni), so that all intervals of a
    column hold together with 95 %. Groups of fewer than 30 pictures are marked with *; their
    intervals are Student's t, since resamples of few pictures are too much alike.
    """
    from facegauge.evaluation.audit_inputs import audit_table
    from facegauge.evaluation.table_scores import TableOptions

    check_output(output, [table, data], (".json",), overwrite=overwrite)
    found = audit_table(
        table,
        data,
        by,
        scale=scale_of(scale),
        accept=accept,
        alike=alike or (),
        skin=skin,
        counterfactual=counterfactual,
        scorer=scorer,
        faces=faces,
        options=TableOptions(path_column, score_column, lower_better, face, join),
        track=lambda rows, manifest: with_progress(rows, manifest.paths),
    )
    _print(found.audit, f"{table} by {' and '.join(by)}", lower_better=found.lower_better)
    if skin:
        _print_skin(found.skin)
    print_left_out(found.unscored, found.ignored)
    if found.without_drop:
        reason = "no face was found again, or the picture cannot be read"
        left = dict.fromkeys(found.without_drop, reason)
        print_left_out(left, title="pictures without a drop, left out there")
    about = {"table": str(table), "data": str(data), "by": by, "alike": alike or []}
    ignored = {reason: list(names) for reason, names in found.ignored.items()}
    left_out = {
        "unscored": dict(found.unscored),
        "ignored": ignored,
        "without_drop": list(found.without_drop),
        "lower_better": found.lower_better,
    }
    write_json(output, {**about, **found.audit.to_dict(), "skin": found.skin, **left_out})


def _print(found: Audit, title: str, *, lower_better: bool) -> None:
    tell(f"{title}: {with_noun(found.n, 'picture')}, mean {found.mean:.3f}")
    count = len(found.groups)
    tell(f"intervals at {found.level:.2%}: all {count} groups together at 95 % (Bonferroni)")
    if lower_better:
        tell("lower scores are better: all scores are shown with the other sign")
    rows = [[one.name, _count(one.n)] for one in found.groups]

    def show(*columns: tuple[str, Sequence[str]]) -> None:
        cells = zip(*(column for _, column in columns), strict=True)
        heads = ["/group", ">n", *(head for head, _ in columns)]
        print_table(heads, [[*row, *cell] for row, cell in zip(rows, cells, strict=True)])

    groups = found.groups
    show(
        ("mean", [interval(one.mean) for one in groups]),
        ("gap to the rest", [interval(one.gap, "+") for one in groups]),
    )
    show(
        ("spread", [_spread(one.spread) for one in groups]),
        *(
            [
                (
                    _accepted(found.threshold, lower_better=lower_better),
                    [_or_empty(one.accepted) for one in groups],
                )
            ]
            if found.threshold is not None
            else []
        ),
    )
    if groups[0].alike is not None:
        show(
            ("gap to the rest among pictures alike", [_or_empty(one.alike, "+") for one in groups])
        )
    if groups[0].residual is not None:
        show(
            ("score - label", [_or_empty(one.residual, "+") for one in groups]),
            ("SRCC", [_or_empty(one.srcc) for one in groups]),
        )
    if found.ratios:
        print_table(
            ["by", "/least accepted", "/most accepted", "ratio"],
            [[one.by, one.least, one.greatest, interval(one.ratio)] for one in found.ratios],
        )
        tell("The ratio is below 1 by chance alone, more so of many and of small groups.")
    if found.drops:
        tell("drop of the score under degradations, mean of severities 1 to 3;")
        tell(f"intervals at {found.drop_level:.2%}, for all groups and kinds together")
        print_table(
            ["kind", "/group", ">n", "drop", "gap to the rest"],
            [
                [one.kind, one.name, _count(one.drop.n), interval(one.drop), interval(one.gap, "+")]
                for one in found.drops
            ],
        )
    if any(one.few for one in groups):
        tell("* fewer than 30 pictures: Student's t (shares: Wilson), no interval of SRCC")
    tell(NEAR_ZERO)


def _print_skin(skin: Sequence[dict[str, float | str | None]]) -> None:
    tell(SKIN_NOTE)
    heads = ["/group", ">n", ">L*", ">hue", ">ITA", ">ITA, left - right"]
    print_table(
        heads,
        [
            [str(one["name"]), str(one["n"]), *(_degrees(one[key]) for key in list(one)[3:])]
            for one in skin
        ],
    )


def _count(n: int) -> str:
    """A number of pictures, with a mark where they are few."""
    from facegauge.evaluation.intervals import FEW

    return f"{n}{'*' if n < FEW else ''}"


def _accepted(threshold: float, *, lower_better: bool) -> str:
    return f"accepted to {-threshold:g}" if lower_better else f"accepted at {threshold:g}"


def _spread(value: float) -> str:
    return "not defined" if math.isnan(value) else f"{value:.3f}"


def _or_empty(estimate: Interval | None, sign: str = "") -> str:
    return "" if estimate is None else interval(estimate, sign)


def _degrees(value: float | str | None) -> str:
    return f"{value:.1f}" if isinstance(value, float) else "-"
