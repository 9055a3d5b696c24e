"""Options of the verbs that take tables of scores, and how their figures are shown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facegauge.cli.terminal import tell
from facegauge.errors import UsageError

if TYPE_CHECKING:
    from facegauge.evaluation.intervals import Interval

SHOWN = 10  # pictures that are named

PathColumn = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="Column of the pictures' paths in a table  [default: path or image]"
    ),
]
ScoreColumn = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Column of the scores in a table  [default: score]"),
]
LowerBetter = Annotated[
    bool, typer.Option("--lower-better", help="In a table of another tool, lower scores are better")
]
Face = Annotated[
    str,
    typer.Option(
        metavar="0|best",
        help="Of several faces of a picture: number 0, the largest, or the one with the best score",
    ),
]
Join = Annotated[
    str,
    typer.Option(
        metavar="path|name",
        help="How rows of a table find their pictures: by path, or by file name, with or without "
        "the suffix",
    ),
]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="JSON file to write")]


def write_json(output: Path | None, saved: Mapping[str, Any]) -> None:
    """Write figures to a file, if one was asked for; it appears once it is complete."""
    from facegauge.outputs import replacing

    if output is None:
        return
    text = json.dumps(saved, indent=1, allow_nan=False) + "\n"
    try:
        with replacing(output) as fresh:
            fresh.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {output}: {error.strerror or error}") from error


def interval(estimate: Interval, sign: str = "", digits: int = 3) -> str:
    """An estimate and its interval; `sign` is "+" for differences."""

    def shown(value: float) -> str:
        return f"{value:{sign}.{digits}f}"

    if estimate.value != estimate.value:
        return "not defined"
    if estimate.low != estimate.low:
        return f"{shown(estimate.value)} (too few)"
    return f"{shown(estimate.value)} ({shown(estimate.low)} to {shown(estimate.high)})"


def print_left_out(
    unscored: Mapping[str, str],
    ignored: Mapping[str, Sequence[str]] | None = None,
    title: str = "pictures without a score, left out",
) -> None:
    """Print how many pictures have no score and which rows do not count, and the first of each."""
    if unscored:
        lines = [f"{path}: {why}" for path, why in unscored.items()]
        _print_first(title, lines)
    for reason, names in (ignored or {}).items():
        _print_first(reason, names)


def _print_first(title: str, lines: Iterable[str]) -> None:
    lines = list(lines)
    tell(f"{title}: {len(lines)}")
    for line in lines[:SHOWN]:
        tell(f"  {line}")
    if len(lines) > SHOWN:
        tell(f"  and {len(lines) - SHOWN} more")
