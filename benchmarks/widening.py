"""Does a slightly wider crop change a score?

Pictures with one face are cut to the frame around it, and wider and wider, by 5 % of the face's
width on each side at a time, as far as the picture reaches. Each cut is scored in the modes `auto`,
which takes a framed picture whole and crops the face of others, and `all`, which always crops.
Reported: the absolute change of the score from one cut to the next; and, for `auto`, that of the
step at which a picture no longer counts as framed.

    python benchmarks/widening.py --portraits portraits/ photos/
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from framing import taken_whole
from page import Table, arguments_for, publish
from pictures import evenly
from rows import figure

from facegauge import Scorer, zoo
from facegauge.faces.framing import frame_around
from facegauge.images.discovery import find_pictures
from facegauge.images.loading import open_picture

STEP = 0.05  # of the face's width, on each side
FIRST, LAST = -0.1, 0.8  # from a little inside the frame to nearly twice as wide
MODES = ("auto", "all")


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    scorers = {mode: Scorer(options.scorer, faces=mode, threads=1) for mode in MODES}
    tables = [step_table(folder, options.n, scorers) for folder in options.portraits]
    intro = (
        f"`{scorers['auto'].card.name}`. A step widens a picture by {STEP:.0%} of the face's width "
        "on each side. Intervals: bootstrap 95 %, over steps."
    )
    publish("widening", "Wider crops", intro, tables, options.results)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments_for(__doc__)
    add = parser.add_argument
    add("--portraits", nargs="+", required=True, type=Path, help="folders, a table each")
    add("--n", type=int, default=100, help="pictures of each, evenly spaced (default: %(default)s)")
    add("--scorer", default=zoo.DEFAULT, help="shipped name or folder (default: %(default)s)")
    return parser.parse_args(arguments)


def step_table(folder: Path, count: int, scorers: dict[str, Scorer]) -> Table:
    """The changes of the scores of one folder's pictures."""
    paths = evenly(list(find_pictures([folder])), count)
    changes: dict[str, list[float]] = {name: [] for name in (*MODES, "auto, leaves the frame")}
    pictures = 0
    for path in paths:
        cuts = list(wider(open_picture(path), scorers["auto"]))
        pictures += len(cuts) > 1
        for mode, scorer in scorers.items():
            results = [scorer.score(cut) for cut in cuts]
            for before, after in pairwise(results):
                if not (before.faces and after.faces):
                    continue
                changes[mode].append(abs(after.faces[0].score - before.faces[0].score))
                whole = [taken_whole(one, scorer.spec) for one in (before, after)]
                if mode == "auto" and whole[0] != whole[1]:
                    changes["auto, leaves the frame"].append(changes[mode][-1])
    rows = [
        (
            mode,
            len(found),
            figure(np.median, found),
            figure(lambda x: float(np.quantile(x, 0.9)), found),
            f"{max(found, default=np.nan):.3f}",
        )
        for mode, found in changes.items()
    ]
    columns = ("faces", "steps", "median change", "90th percentile", "largest")
    note = f"{pictures} of {len(paths)} pictures have one face and room around its frame."
    return Table(folder.name, columns, rows, note)


def wider(pixels: np.ndarray, scorer: Scorer) -> Iterator[np.ndarray]:
    """The picture cut to its face's frame, and wider, as long as it reaches."""
    faces = scorer.detector(pixels)
    if len(faces) != 1:
        return
    frame, width = frame_around(faces[0], scorer.spec), faces[0].box.width
    for number in range(round((LAST - FIRST) / STEP) + 1):
        grown = (FIRST + number * STEP) * width
        left, top = round(frame.left - grown), round(frame.top - grown)
        right, bottom = round(frame.right + grown), round(frame.bottom + grown)
        if min(left, top) < 0 or right > pixels.shape[1] or bottom > pixels.shape[0]:
            return
        yield np.ascontiguousarray(pixels[top:bottom, left:right])


if __name__ == "__main__":
    main()
