"""Options of the verbs that score pictures, and the scorer that they ask for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from facegauge.scorer import Scorer

SOME_FAILED = 3  # exit code

Paths = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH",
        help="Pictures, folders (searched with their subfolders), or - for paths on stdin, one per "
        "line or separated by NUL",
    ),
]
Faces = Annotated[
    str,
    typer.Option(
        metavar="auto|all|largest|whole",
        help="Faces to score: auto, every face, but the whole picture if it is already framed like "
        "a portrait; all, every face, always cropped; largest, only the largest face; whole, the "
        "whole picture, without face detection",
    ),
]
ScorerName = Annotated[
    str,
    typer.Option(
        "--scorer",
        metavar="NAME|FOLDER",
        help="Shipped scorer, see 'facegauge models', or the folder of your own scorer",
    ),
]
MinFace = Annotated[
    float,
    typer.Option(
        min=0,
        metavar="PX",
        help="Minimum of a face's shorter side, in pixels; not used with --faces whole",
    ),
]
DetectSize = Annotated[
    int | None,
    typer.Option(
        metavar="PX",
        help="Long side of the largest input of the face search: 320 or 640 is fast and finds only "
        "large faces; not used with --faces whole  [default: as --min-face asks for]",
        show_default=False,
    ),
]
BatchSize = Annotated[
    int,
    typer.Option(min=1, help="Faces of a picture per batch of the network; does not change scores"),
]
Threads = Annotated[
    int | None,
    typer.Option(min=1, help="CPU threads  [default: one per CPU, at most 4]", show_default=False),
]
Device = Annotated[
    str,
    typer.Option(
        metavar="cpu|cuda",
        help="Where the networks compute; cuda needs a GPU and onnxruntime-gpu in the place of "
        "onnxruntime",
    ),
]
PathColumn = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="PATH... are lists, .csv, .jsonl or .parquet, with the paths of pictures in this "
        "column",
        show_default=False,
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PATTERN",
        help="Files and folders to skip in folders, such as 'thumbs' or 'old/*.png': a name, or a "
        "path below the given folder; may be repeated",
        show_default=False,
    ),
]
Excel = Annotated[
    bool,
    typer.Option(
        "--excel",
        help="Write CSV for spreadsheets: with a byte order mark, and without cells that they take "
        "for formulas",
    ),
]
FactorNames = Annotated[
    list[str] | None,
    typer.Option(
        "--factor",
        metavar="NAME",
        help="Factor to measure on each face, in its own columns: quality, resolution or skin; may "
        "be repeated",
        show_default=False,
    ),
]
QualityFactors = Annotated[
    bool,
    typer.Option(
        "--factors",
        help="Measure what may be wrong with each face, from sharpness to light and pose, each "
        "with a rating: the factor quality",
    ),
]
ShardOf = Annotated[
    str | None,
    typer.Option(
        "--shard",
        metavar="I/N",
        help="Take only share I of N of the pictures, by a hash of the path; facegauge merge joins "
        "the tables of all shares",
        show_default=False,
    ),
]
MaxPixels = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Do not open pictures with more pixels  [default: 120 million]",
        show_default=False,
    ),
]


def open_scorer(
    name: str,
    *,
    faces: str,
    min_face: float,
    detect_size: int | None,
    batch_size: int,
    threads: int | None,
    max_pixels: int | None,
    factors: Sequence[str] = (),
    device: str = "cpu",
) -> Scorer:
    """The scorer that the options ask for."""
    from facegauge.images.costs import MAX_PIXELS
    from facegauge.scorer import Scorer

    return Scorer(
        name,
        faces=faces,
        min_face=min_face,
        detect_size=detect_size,
        batch_size=batch_size,
        threads=threads,
        max_pixels=max_pixels or MAX_PIXELS,
        factors=factors,
        device=device,
    )
