"""How often does a face have a note, is its error larger, and are changed pictures noted?

The largest face of each picture is scored. Reported for each note: the share of faces of labelled
pictures and of portraits that have it; the mean absolute difference of score and label, of faces
with it and without; and the share of portraits that get it once they are changed to deserve it.

    python benchmarks/notes.py --labelled photos=photos/labels.csv crops=crops/labels.csv \\
        --portraits portraits/ studio/
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from page import Table, arguments_for, name_of, publish
from pictures import Scores, chosen, evenly
from PIL import Image, ImageDraw, ImageFilter, ImageOps
from rows import figure, named

from facegauge import Scorer, zoo
from facegauge.data.manifests import load_manifest
from facegauge.faces.extraction import FaceExtractor
from facegauge.faces.notes import NOTES, notes_of
from facegauge.faces.policy import ExtractionPolicy
from facegauge.images.discovery import find_pictures
from facegauge.images.loading import open_picture
from facegauge.results import Face, FaceScore

ANY = "any note"
SEPIA = (1.07, 0.95, 0.78)  # over grey
Faces = Sequence[FaceScore]
Picture = Image.Image


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    scorer = Scorer(options.scorer, faces="largest", threads=1)
    faces: dict[str, Faces] = {}
    labels: dict[str, Scores] = {}
    for name, file in named(options.labelled, "--labelled").items():
        pictures = chosen(load_manifest(file), options.split, options.n)
        title = f"{name} of {options.split}"
        faces[title], kept = largest(scorer, pictures.paths)
        labels[title] = pictures.labels()[kept]
    paths = {name_of(folder): list(find_pictures([folder])) for folder in options.portraits}
    for name, found in paths.items():
        faces[name], _ = largest(scorer, evenly(found, options.n or len(found)))
    labelled = {name: faces[name] for name in labels}
    tables = [share_table(faces), error_table(labelled, labels), score_table(faces)]
    portraits = evenly([path for found in paths.values() for path in found], options.n_changed)
    if portraits:
        tables += [changed_table(scorer, portraits), cost_table(scorer, portraits)]
    intro = (
        f"`{scorer.card.name}`, the largest face of each picture (`--faces largest`), without "
        "pictures that have none. Intervals: bootstrap 95 %, over pictures. The edges of the rules "
        "are in `facegauge/faces/notes.py`."
    )
    publish("notes", "Notes on faces", intro, tables, options.results)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments_for(__doc__)
    add = parser.add_argument
    add("--labelled", nargs="+", default=[], metavar="NAME=LIST", help="labelled pictures")
    add("--portraits", nargs="+", default=[], type=Path, help="folders, without labels")
    add("--split", default="val", help="split of the lists; 'all' for every row (default: val)")
    add("--n", type=int, default=0, help="pictures of each, evenly spaced (default: 0, all)")
    add("--n-changed", type=int, default=60, help="portraits to change (default: %(default)s)")
    add("--scorer", default=zoo.DEFAULT, help="shipped name or folder (default: %(default)s)")
    return parser.parse_args(arguments)


def largest(scorer: Scorer, paths: Sequence[str | Path]) -> tuple[Faces, list[int]]:
    """The largest face of each picture that has one, and which pictures these are."""
    results = list(scorer.score_iter(paths))
    kept = [place for place, result in enumerate(results) if result.faces]
    return [results[place].faces[0] for place in kept], kept


def has(faces: Faces, note: str) -> np.ndarray:
    """Which faces have a note."""
    return np.array([note in one.notes or (note == ANY and bool(one.notes)) for one in faces], bool)


def share_table(faces: Mapping[str, Faces]) -> Table:
    """How many faces of each set have a note."""
    rows = []
    for note in (*NOTES, ANY):
        counts = [(int(has(some, note).sum()), len(some)) for some in faces.values()]
        rows.append([f"`{note}`" if note != ANY else note, *(share(*count) for count in counts)])
    columns = ["note", *(f"{name} (n = {len(some)})" for name, some in faces.items())]
    return Table("Faces with a note", columns, rows)


def share(count: int, n: int) -> str:
    return f"{count} ({count / n:.1%})" if n else "-"


def error_table(faces: Mapping[str, Faces], labels: Mapping[str, Scores]) -> Table:
    """Errors of faces with and without each note."""
    rows = []
    for name, some in faces.items():
        error = np.abs(np.array([one.score for one in some]) - labels[name])
        for note in (*NOTES, ANY):
            noted = has(some, note)
            if noted.any():
                ends = figure(np.mean, error[noted]), figure(np.mean, error[~noted])
                rows.append([name, note, int(noted.sum()), *ends])
    columns = ("pictures", "note", "n", "error with it", "error without it")
    note = (
        "Error: mean absolute difference of score and label. Notes that no face has are left out."
    )
    return Table("Errors", columns, rows, note)


def changed_table(scorer: Scorer, paths: Sequence[str]) -> Table:
    """How many portraits get the note that a change deserves."""
    noted: dict[str, list[bool]] = {what: [] for what in CHANGES}
    moved: dict[str, list[float]] = {what: [] for what in CHANGES}
    for path in paths:
        pixels = open_picture(path)
        before = scorer.score(pixels).faces
        if not before or before[0].face is None:
            continue
        for what, (note, change) in CHANGES.items():
            after = scorer.score(change(Image.fromarray(pixels), before[0].face)).faces
            if after:
                noted[what].append(bool(has(after, note or ANY)[0]))
                moved[what].append(after[0].score - before[0].score)
    rows = []
    for what, (note, _) in CHANGES.items():
        moves = np.array(moved[what])
        ends = [figure(np.mean, moves, sign="+"), figure(np.mean, np.abs(moves))]
        words = f"`{note}`" if note else ANY
        rows.append([what, words, len(moves), share(sum(noted[what]), len(moves)), *ends])
    columns = (
        "portraits", "note", "with a face", "with the note", "mean change of the score",
        "mean absolute change",
    )  # fmt: skip
    return Table(f"Portraits that were changed, {len(paths)}", columns, rows)


def score_table(faces: Mapping[str, Faces]) -> Table:
    """Mean scores of faces with and without each note."""
    rows = []
    for name, some in faces.items():
        scores = np.array([one.score for one in some])
        for note in NOTES:
            noted = has(some, note)
            if noted.any():
                ends = figure(np.mean, scores[noted]), figure(np.mean, scores[~noted])
                rows.append([name, note, int(noted.sum()), *ends])
    columns = ("pictures", "note", "n", "mean score with it", "without it")
    note = "Different pictures: what a note does to a score is in the last table but one."
    return Table("Scores", columns, rows, note)


def cost_table(scorer: Scorer, paths: Sequence[str]) -> Table:
    """CPU time of the notes of a face; the least of some repetitions."""
    extractor = FaceExtractor(scorer.spec, ExtractionPolicy("largest"))
    spent = []
    for path in paths:
        located = extractor.locate(path)
        if located.faces:
            spent.append(min(seconds(lambda one=located: notes_of(one, scorer.spec))  # type: ignore[misc]
                             for _ in range(5)))  # fmt: skip
    row = [len(spent), f"{1e3 * np.median(spent):.2f}", f"{1e3 * np.max(spent):.2f}"]
    return Table("Cost", ("faces", "CPU ms a face, median", "most"), [row])


def seconds(work: Callable[[], object], times: int = 20) -> float:
    start = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - start) / times


def grey(picture: Picture, face: Face) -> Picture:
    return picture.convert("L").convert("RGB")


def sepia(picture: Picture, face: Face) -> Picture:
    levels = np.asarray(picture.convert("L"), float)[..., None] * SEPIA
    file = io.BytesIO()
    Image.fromarray(np.clip(np.rint(levels), 0, 255).astype(np.uint8)).save(file, "JPEG")
    return Image.open(file)


def small(picture: Picture, face: Face) -> Picture:
    scale = 32 / min(face.box.width, face.box.height)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.LANCZOS)


def quarter(picture: Picture, face: Face) -> Picture:
    return picture.transpose(Image.Transpose.ROTATE_90)


def slanted(picture: Picture, face: Face) -> Picture:
    return picture.rotate(40, Image.Resampling.BICUBIC, expand=True)


def half_away(picture: Picture, face: Face) -> Picture:
    """Without the left part of the picture, 30 % of the face among it."""
    left = face.box.left + 0.3 * face.box.width
    return picture.crop((round(left), 0, picture.width, picture.height))


def blurred(picture: Picture, face: Face) -> Picture:
    return picture.filter(ImageFilter.GaussianBlur(0.04 * face.box.width))


def dark_glasses(picture: Picture, face: Face) -> Picture:
    """Two dark ellipses over the eyes, and a bar between them."""
    (left_x, left_y), (right_x, right_y) = face.points[:2]
    apart = float(np.hypot(right_x - left_x, right_y - left_y))
    drawn = picture.copy()
    pen = ImageDraw.Draw(drawn)
    for x, y in face.points[:2]:
        corners = (x - 0.42 * apart, y - 0.3 * apart, x + 0.42 * apart, y + 0.36 * apart)
        pen.ellipse(corners, fill=(18, 18, 22))
    pen.line((left_x, left_y, right_x, right_y), (18, 18, 22), max(1, round(0.07 * apart)))
    return drawn


def mask(picture: Picture, face: Face) -> Picture:
    """An even, light area from the middle of the nose to the chin."""
    box, top = face.box, face.points[2][1]
    drawn = picture.copy()
    corners = (box.left, top, box.right, box.bottom)
    ImageDraw.Draw(drawn).rounded_rectangle(corners, 0.2 * box.width, fill=(196, 214, 226))
    return drawn


def poster(picture: Picture, face: Face) -> Picture:
    return ImageOps.posterize(picture.filter(ImageFilter.MedianFilter(9)), 3)


def poster_jpeg(picture: Picture, face: Face) -> Picture:
    file = io.BytesIO()
    poster(picture, face).save(file, "JPEG")
    return Image.open(file)


CHANGES: Mapping[str, tuple[str, Callable[[Picture, Face], Picture]]] = {
    "downscaled to faces of 32 px": ("tiny", small),
    "turned by a quarter": ("turned", quarter),
    "tilted by 40 degrees": ("tilted", slanted),
    "grey": ("grey", grey),
    "sepia, JPEG": ("grey", sepia),
    "cut through the face at 30 % of its width": ("cut_off", half_away),
    "Gaussian blur, sigma 4 % of the face's width": ("flat", blurred),
    "dark glasses drawn over the eyes": ("", dark_glasses),
    "an even mask drawn over mouth and chin": ("", mask),
    "median filter and 8 levels a channel": ("flat", poster),
    "the same as JPEG": ("flat", poster_jpeg),
}
"""Changes by name: the note that they deserve, if there is one, and what changes a picture."""


if __name__ == "__main__":
    main()
