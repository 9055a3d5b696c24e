"""`facegauge edc`: error against discard, with the similarities of a face recogniser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facegauge.cli.outputs import Overwrite
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
    from facegauge.evaluation.edc import ErrorDiscard


def edc(
    scores: Annotated[
        Path,
        typer.Argument(
            metavar="SCORES", help="Table of scores: of facegauge, or of another tool, see evaluate"
        ),
    ],
    *,
    pairs: Annotated[
        Path,
        typer.Option(
            help="CSV, JSONL or Parquet with the columns a, b (pictures), similarity and mated (1 "
            "or 0); and identity_a, identity_b for intervals by person"
        ),
    ],
    fmr: Annotated[
        float, typer.Option(help="False match rate that sets the threshold, on all pairs")
    ] = 1e-3,
    path_column: PathColumn = None,
    score_column: ScoreColumn = None,
    lower_better: LowerBetter = False,
    face: Face = "0",
    join: Join = "path",
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap intervals")] = 0,
    output: Output = None,
    overwrite: Overwrite = False,
) -> None:
    """Show how errors of face recognition fall when pairs of low quality are discarded.

    The error-versus-discard characteristic of ISO/IEC 29794-1: a pair has the lesser quality of its
    two pictures, the threshold is held, and pairs of equal quality are discarded together.
    """
    from facegauge.evaluation.edc_inputs import judge_pairs
    from facegauge.evaluation.table_scores import TableOptions

    check_output(output, [scores, pairs], (".json",), overwrite=overwrite)
    options = TableOptions(path_column, score_column, lower_better, face, join)
    found = judge_pairs(scores, pairs, fmr=fmr, options=options, seed=seed)
    _print(found.curve, f"{scores} on {pairs}")
    if found.left_out:
        tell(f"pairs left out, of which a picture has no score: {found.left_out}")
    print_left_out(found.unscored, title="pictures without a score")
    about = {"scores": str(scores), "pairs": str(pairs), "left_out": found.left_out}
    write_json(output, {**about, **found.curve.to_dict(), "unscored": dict(found.unscored)})


def _print(found: ErrorDiscard, title: str) -> None:
    from facegauge.evaluation.edc import LIMIT, SHOWN

    tell(title)
    tell(
        f"{with_noun(found.mated, 'mated pair')} and {found.non_mated} others; a pair matches "
        f"above {found.threshold:.4g},"
    )
    tell(f"a false match rate of {found.fmr:.3g} on all pairs")
    rows = [
        [f"{share:.0%}", interval(fnmr, digits=4), f"{best.value:.4f}"]
        for share, fnmr, best in zip(SHOWN, found.at, found.best_at, strict=True)
    ]
    print_table([">discarded", "false non-match rate", "best possible"], rows)
    print_table(
        [f"area to {LIMIT:.0%} discarded", ""],
        [
            ["these scores", interval(found.area, digits=5)],
            ["random", interval(found.random, digits=5)],
            ["best possible", interval(found.best, digits=5)],
            ["gain, 0 random to 1 best", interval(found.gain)],
        ],
    )
    by = "pairs" if found.persons is None else with_noun(found.persons, "person")
    tell(f"intervals: bootstrap 95 %, resampled by {by}")
    if found.persons is None:
        tell("they are too narrow where pairs share pictures or persons: give identities")
