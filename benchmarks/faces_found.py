"""Are all faces found, and none where there is none?

Scenes with faces of known sizes are made from the example picture, and pictures without a face in
code: noise, clouds, fractal textures, landscapes, discs and text. `--portraits` adds folders of
pictures with one face each. The search is compared with a single pass at its first size, in the
same run: the extra time is what the finer passes cost, decoding left out.

    python benchmarks/faces_found.py --portraits portraits/
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from page import Table, arguments_for, publish
from pictures import evenly
from scenes import Pixels, Place, group_scenes, scene, without_faces

from facegauge.faces.detection import CenterFace
from facegauge.images.discovery import find_pictures
from facegauge.images.loading import open_picture
from facegauge.results import Face

SEARCH = CenterFace()
ONE_PASS = CenterFace(max_size=SEARCH.size)


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    tables = [scene_table(), empty_table(options.empty)]
    if options.portraits:
        tables.append(portrait_table(options.portraits, options.n))
    intro = (
        f"CenterFace, coarse to fine, faces of {SEARCH.min_face:g} px and more. Times are CPU "
        "milliseconds per picture on one thread, without decoding."
    )
    publish("faces-found", "Faces found", intro, tables, options.results)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments_for(__doc__)
    add = parser.add_argument
    add("--portraits", nargs="*", type=Path, help="folders of pictures with one face each")
    add("--n", type=int, default=300, help="portraits, evenly spaced (default: %(default)s)")
    add("--empty", type=int, default=200, help="pictures without a face (default: %(default)s)")
    return parser.parse_args(arguments)


def scene_table() -> Table:
    """Faces that are there, found and false in each scene."""
    rows = []
    for name, size, places in group_scenes():
        pixels = scene(size, places)
        found, milliseconds = timed(SEARCH, pixels)
        single, first = timed(ONE_PASS, pixels)
        right = matched(found, places)
        rows.append(
            (
                *(name, len(places), right, len(found) - right, matched(single, places)),
                *(f"{milliseconds:.0f}", f"{first:.0f}"),
            )
        )
    columns = ("scene", "faces", "found", "false", "one pass", "CPU ms", "one pass, CPU ms")
    return Table("Scenes", columns, rows)


def empty_table(count: int) -> Table:
    """False faces in pictures without a face."""
    pictures, false, times = Counter[str](), Counter[str](), Counter[str]()
    for kind, pixels in without_faces(count):
        found, milliseconds = timed(SEARCH, pixels)
        for name in (kind, "all"):
            pictures[name] += 1
            false[name] += len(found)
            times[name] += round(milliseconds)
    rows = [
        (kind, pictures[kind], false[kind], f"{times[kind] / pictures[kind]:.0f}")
        for kind in (*sorted(pictures.keys() - {"all"}), "all")
        if pictures[kind]
    ]
    return Table("Pictures without a face", ("kind", "pictures", "false", "CPU ms"), rows)


def portrait_table(folders: Sequence[Path], count: int) -> Table:
    """Pictures with one face: how many have none, one and more, and the cost beside one pass."""
    paths = evenly(list(find_pictures(folders)), count)
    faces = {"search": Counter[int](), "one pass": Counter[int]()}
    costs = dict.fromkeys(faces, 0.0)
    for path in paths:
        pixels = open_picture(path)
        for name, detector in (("search", SEARCH), ("one pass", ONE_PASS)):
            found, milliseconds = timed(detector, pixels)
            faces[name][min(len(found), 2)] += 1
            costs[name] += milliseconds
    rows = [
        (name, len(paths), counts[0], counts[1], counts[2], f"{costs[name] / len(paths):.1f}")
        for name, counts in faces.items()
    ]
    columns = ("", "pictures", "none", "one face", "two or more", "CPU ms")
    note = f"The search costs {costs['search'] / costs['one pass']:.2f} times one pass."
    return Table("Portraits", columns, rows, note)


def timed(detector: CenterFace, pixels: Pixels) -> tuple[list[Face], float]:
    """The faces, and the CPU time in milliseconds."""
    start = time.process_time()
    found = detector(pixels)
    return found, 1000 * (time.process_time() - start)


def matched(found: Sequence[Face], places: Sequence[Place]) -> int:
    """How many places have a face of about the right size, each face counting once."""
    left = list(found)
    count = 0
    for x, y, width in places:
        for face in left:
            box = face.box
            near = abs((box.left + box.right) / 2 - x) < width / 2
            near = near and abs((box.top + box.bottom) / 2 - y) < width / 2
            if near and 0.5 < box.width / width < 2:
                left.remove(face)
                count += 1
                break
    return count


if __name__ == "__main__":
    main()
