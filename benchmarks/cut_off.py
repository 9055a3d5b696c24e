"""How far does a score move when a picture ends near the face, or cuts the head?

    python benchmarks/cut_off.py --photos photos/labels.csv --portraits studio/

Upright faces whose frame lies all in the picture are cut from each side, both sides and all around,
ever closer. Reported: how far the score moves, by the share of the frame's area that lies beyond
the border then, for heads that are whole and for heads of which more lies beyond than the note
`cut_off` allows.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from page import Table, arguments_for, name_of, publish
from pictures import chosen
from rows import figure

from facegauge import Scorer, zoo
from facegauge.arrays import Pixels
from facegauge.data.manifests import load_manifest
from facegauge.faces.framing import beyond, frame_around, missing_head
from facegauge.faces.notes import CUT_OFF
from facegauge.images.discovery import find_pictures
from facegauge.images.loading import open_picture
from facegauge.results import Box, FaceScore, ImageScore

COMPLETE = 0.02  # of the frame's area; more beyond the border, and a face is not used
SIDES = ("left", "top", "right", "bottom", "left right", "left top right bottom")
STEPS = (0.15, 0.3, 0.45, 0.6, 0.75, 0.9, 1.05, 1.2)  # from the frame's edge, 0, to the face's, 1
EDGES = (0.0, 0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 1.0)

Cut = tuple[float, float, float]
"""Of a picture that was cut: the shares of frame and head beyond the border, and the move."""


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    scorer = Scorer(options.scorer, faces="all", threads=1)
    sets = {name_of(folder): list(find_pictures([folder])) for folder in options.portraits}
    if options.photos:
        photos = chosen(load_manifest(options.photos), options.split)
        sets[f"{name_of(options.photos)}, {options.split}"] = list(map(str, photos.paths))
    rows = []
    for name, paths in sets.items():
        used, cuts = 0, []
        for path in paths:
            if used == options.n:
                break
            found = list(moves(scorer, open_picture(path)))
            used += bool(found)
            cuts += found
        rows += table_rows(f"{name} (n = {used})", cuts)
    columns = ("pictures", "frame beyond", "head", "cuts", "mean size of the move", "mean move")
    note = (
        "Bootstrap 95 % intervals over cuts, of which a picture has several. Cuts without a face "
        "are left out."
    )
    intro = (
        f"`{scorer.card.name}`. A head counts as cut where more than {CUT_OFF:.0%} of its area, "
        "estimated from the face box, lie beyond the border, as for the note `cut_off`."
    )
    table = Table("How far scores move", columns, rows, note)
    publish("cut-off", "Pictures that are cut", intro, [table], options.results)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments_for(__doc__)
    add = parser.add_argument
    add("--portraits", nargs="+", default=[], type=Path, help="folders")
    add("--photos", type=Path, help="labelled photos")
    add("--split", default="val", help="split of the photos (default: val)")
    add("--n", type=int, default=12, help="pictures of each, the first that fit (default: 12)")
    add("--scorer", default=zoo.DEFAULT, help="shipped name or folder (default: %(default)s)")
    return parser.parse_args(arguments)


def moves(scorer: Scorer, pixels: Pixels) -> Iterator[Cut]:
    """The largest face of a picture under all cuts; none if its frame is not complete."""
    first = largest(scorer.score(pixels))
    height, width = pixels.shape[:2]
    if first is None or first.face is None or "turned" in first.notes:
        return
    box, frame = first.face.box, frame_around(first.face, scorer.spec)
    if beyond(frame, width, height) > COMPLETE:
        return
    for sides in SIDES:
        for step in STEPS:
            part = cut(pixels, box, frame, sides.split(), step)
            face = largest(scorer.score(part))
            if face is None or face.face is None:
                continue
            size = part.shape[1], part.shape[0]
            outside = beyond(frame_around(face.face, scorer.spec), *size)
            yield outside, missing_head(face.face.box, *size), face.score - first.score


def largest(result: ImageScore) -> FaceScore | None:
    """The largest face of a picture."""
    return result.faces[0] if result.faces else None


def cut(pixels: Pixels, box: Box, frame: Box, sides: Sequence[str], step: float) -> Pixels:
    """What is left of a picture that ends so far between the edges of frame and face."""
    edges = {"left": 0.0, "top": 0.0, "right": float(pixels.shape[1]), "bottom": float(len(pixels))}
    for side in sides:
        outer, inner = getattr(frame, side), getattr(box, side)
        edge = outer + step * (inner - outer)
        edges[side] = max(edges[side], edge) if side in ("left", "top") else min(edges[side], edge)
    rows = slice(round(edges["top"]), round(edges["bottom"]))
    return np.ascontiguousarray(pixels[rows, round(edges["left"]) : round(edges["right"])])


def table_rows(name: str, cuts: Sequence[Cut]) -> list[list[object]]:
    """How far scores move, by the share of the frame and whether the head is cut."""
    rows: list[list[object]] = []
    found = np.array(cuts).reshape(-1, 3)
    for low, high in pairwise(EDGES):
        inside = (found[:, 0] >= low) & (found[:, 0] < high)
        for head, which in (("whole", found[:, 1] <= CUT_OFF), ("cut", found[:, 1] > CUT_OFF)):
            move = found[inside & which, 2]
            if len(move):
                ends = figure(np.mean, np.abs(move)), figure(np.mean, move, sign="+")
                rows.append([name, f"{low:.0%} to {high:.0%}", head, len(move), *ends])
    return rows


if __name__ == "__main__":
    main()
