"""Does a face keep its score when the picture is turned by a quarter or half?

Pictures with one face each are turned by 90, 180 and 270 degrees, as arrays, without resampling.
Reported for each turn, against the picture as it is: pictures with a face, faces at the same place,
faces whose turn was told, faces whose turn was not and that have no note of it, differences of the
scores, and the cost of the search. Pictures without a face as they are, and those whose face is
tilted by more than 30 degrees, are left out and counted.

    python benchmarks/turned.py --portraits portraits/ photos/
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from page import Table, arguments_for, publish
from pictures import evenly
from rows import figure

from facegauge import Scorer, zoo
from facegauge.faces.pose import NOTED_TILT, pose
from facegauge.faces.turning import turned_box
from facegauge.images.discovery import find_pictures
from facegauge.images.loading import open_picture
from facegauge.results import Box, FaceScore, ImageScore

UNSURE = {"tilted", "profile"}  # notes of faces whose turn may be untold
SAME_PLACE = 0.5  # minimum intersection over union with the upright picture's face box


@dataclass
class Turn:
    """What happened to the pictures at one turn."""

    pictures: int = 0
    found: int = 0
    placed: int = 0
    told: int = 0
    silent: int = 0
    seconds: float = 0.0
    change: list[float] = field(default_factory=list)


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    scorer = Scorer(options.scorer, faces="largest", threads=1)
    tables = [turn_table(folder, options.n, scorer) for folder in options.portraits]
    intro = (
        f"`{scorer.card.name}`, the largest face of each picture (`--faces largest`). Differences: "
        "score of the turned picture minus that of the picture as it is; intervals: bootstrap "
        "95 %, over pictures. CPU: of scoring on one thread, over that of the pictures as they are."
    )
    publish("turned", "Turned faces", intro, tables, options.results)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments_for(__doc__)
    add = parser.add_argument
    add("--portraits", nargs="+", required=True, type=Path, help="folders, a table each")
    add("--n", type=int, default=300, help="pictures of each, evenly spaced (default: %(default)s)")
    add("--scorer", default=zoo.DEFAULT, help="shipped name or folder (default: %(default)s)")
    return parser.parse_args(arguments)


def turn_table(folder: Path, count: int, scorer: Scorer) -> Table:
    """The pictures of one folder, turned."""
    paths = evenly(list(find_pictures([folder])), count)
    turns = {degrees: Turn() for degrees in (0, 90, 180, 270)}
    left_out = 0
    for path in paths:
        pixels = open_picture(path)
        upright = scorer.score(pixels)
        if not upright.faces or abs(angle(upright.faces[0])) > NOTED_TILT:
            left_out += 1
            continue
        for degrees, turn in turns.items():
            add(turn, degrees // 90, pixels, upright, scorer)
    once = turns[0].seconds
    rows = [
        (
            f"{degrees} degrees",
            turn.pictures,
            *(f"{n / turn.pictures:.1%}" for n in (turn.found, turn.placed, turn.told)),
            turn.silent,
            figure(np.mean, turn.change, sign="+"),
            figure(lambda x: float(np.mean(np.abs(x))), turn.change),
            f"{turn.seconds / once:.2f}",
        )
        for degrees, turn in turns.items()
    ]
    columns = (
        "turned by",
        "pictures",
        "face found",
        "same place",
        "turn right",
        "wrong, no note",
        "mean difference",
        "mean absolute difference",
        "CPU",
    )
    note = f"Left out: {left_out} of {len(paths)}, without a face or tilted by over 30 degrees."
    return Table(folder.name, columns, rows, note)


def add(turn: Turn, quarters: int, pixels: np.ndarray, upright: ImageScore, scorer: Scorer) -> None:
    """Score a picture turned clockwise by `quarters`, and count what came."""
    turned = np.ascontiguousarray(np.rot90(pixels, -quarters))
    start = time.process_time()
    result = scorer.score(turned)
    turn.seconds += time.process_time() - start
    turn.pictures += 1
    if not result.faces:
        return
    face, before = result.faces[0], upright.faces[0]
    assert face.face is not None and before.face is not None  # both were searched
    turn.found += 1
    expected = turned_box(before.face.box, -quarters, (upright.width, upright.height))
    turn.placed += overlap(face.face.box, expected) >= SAME_PLACE
    right = pose(face.face.points).quarter_turns == quarters
    turn.told += right
    turn.silent += not right and not UNSURE.intersection(face.notes)
    turn.change.append(face.score - before.score)


def angle(scored: FaceScore) -> float:
    """By how many degrees a face is turned."""
    assert scored.face is not None
    return pose(scored.face.points).angle


def overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    shared = max(width, 0.0) * max(height, 0.0)
    return shared / (one.width * one.height + other.width * other.height - shared)


if __name__ == "__main__":
    main()
