"""`facegauge explain`: what a picture's scores come from, as a picture, a page or JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facegauge.cli.outputs import Overwrite
from facegauge.cli.score_options import (
    SOME_FAILED,
    DetectSize,
    Device,
    Faces,
    MaxPixels,
    MinFace,
    ScorerName,
    Threads,
    open_scorer,
)
from facegauge.cli.terminal import say, tell
from facegauge.outputs import check_output

EPILOG = (
    "Exit codes: 0 explained; 3 the picture has no face with a score, or cannot be opened; 2 wrong "
    "usage; 1 unexpected error; 130 stopped by Ctrl-C."
)


def explain(
    picture: Annotated[Path, typer.Argument(metavar="PICTURE", help="Picture to explain")],
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="File to write: .png, a picture; .html, a page in one file; .json  [default: only "
            "text on the terminal]",
            show_default=False,
        ),
    ] = None,
    overwrite: Overwrite = False,
    faces: Faces = "auto",
    scorer: ScorerName = "mobile",
    min_face: MinFace = 24,
    detect_size: DetectSize = None,
    threads: Threads = None,
    device: Device = "cpu",
    max_pixels: MaxPixels = None,
) -> None:
    """Explain a picture's scores: what is wrong with each face, and what moved its score."""
    from facegauge.errors import PictureError
    from facegauge.explanation import SUFFIXES
    from facegauge.explanation import explain as explain_picture

    check_output(output, [picture], SUFFIXES, overwrite=overwrite)
    engine = open_scorer(
        scorer,
        faces=faces,
        min_face=min_face,
        detect_size=detect_size,
        batch_size=2,
        threads=threads,
        device=device,
        max_pixels=max_pixels,
    )
    try:
        explanation = explain_picture(picture, engine)
    except PictureError as error:
        say(f"{picture}: {error.status}: {error}")
        raise typer.Exit(SOME_FAILED) from None
    if output is not None:
        explanation.save(output)
    for line in explanation.lines():
        tell(line)
    if not explanation.result.faces:
        raise typer.Exit(SOME_FAILED)
