"""How good are the scores on photos as people have them, not only on crops?

Labelled originals are scored as `auto` reads them: the largest face is found and framed. Reported,
for each scorer: agreement with the labels, mean error by the size of the face, coverage of the
interval, and how scores change when a photo is enlarged, loses its colours, or is cut a little
wider. With `--crops` the same figures of agreement and coverage for crops, taken whole.

    python benchmarks/originals.py --data originals/labels.csv --crops crops/labels.csv

A photo without a face is counted and left out of that table. If the list has a column
`second_share`, the area of the second face beside the largest, photos above `--max-second` are
left out, since one label cannot say whose it is. Enlarged photos have at most 40 megapixels.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from page import Table, arguments_for, name_of, publish
from pictures import Scores, chosen, main_score
from PIL import Image
from rows import figure, shown

from facegauge import Scorer, zoo
from facegauge.arrays import Pixels
from facegauge.data.manifests import Manifest, load_manifest
from facegauge.errors import UsageError
from facegauge.evaluation.metrics import evaluate, srcc
from facegauge.images.loading import open_picture
from facegauge.results import Box, ImageScore

WIDTHS = (80, 120, 180, 300)  # edges, in pixels, between sizes of faces
FACTORS = (2, 4)
FILTERS = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)
MAX_ENLARGED = 40e6
LUMA = np.array([0.299, 0.587, 0.114])
SEPIA = np.array([1.07, 0.95, 0.78])
MARGIN = 0.05  # of the face's width, by which a crop is widened


@dataclass(frozen=True)
class Scored:
    """A scorer's results on labelled pictures."""

    name: str
    results: Sequence[ImageScore]
    labels: Scores

    @property
    def scores(self) -> Scores:
        return np.array([main_score(result) for result in self.results])

    @property
    def found(self) -> list[int]:
        return np.flatnonzero(np.isfinite(self.scores)).tolist()


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    photos = one_face(chosen(load_manifest(options.data), options.split, options.n), options)
    scored = [score(name, "auto", photos) for name in options.scorer]
    tables = [agreement_table("Photos, auto", scored), size_table(scored)]
    crops: list[Scored] = []
    if options.crops:
        framed = chosen(load_manifest(options.crops), options.split)
        crops = [score(name, "whole", framed) for name in options.scorer]
        tables.append(agreement_table("Crops, whole", crops))
    tables.append(coverage_table({"photos": scored, "crops": crops}))
    tables.append(enlarged_table(options.scorer, photos))
    if options.portraits:
        portraits = chosen(load_manifest(options.portraits), "all", options.n_portraits)
        tables += [colour_table(options.scorer, portraits), margin_table(options.scorer, portraits)]
    intro = (
        f"{len(photos)} photos of {name_of(options.data)}, split {options.split}. Intervals: "
        "bootstrap 95 %, over pictures. PLCC is raw; the error is score minus label."
    )
    publish(options.name, "Photos as people have them", intro, tables, options.results)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments_for(__doc__)
    add = parser.add_argument
    add("--data", required=True, help="labelled photos; column second_share is used, if there")
    add("--crops", help="labelled crops, which are taken whole")
    add("--portraits", help="sharp colour portraits, for changes of colour and margin")
    add("--split", default="val", help="split of both lists; 'all' for every row (default: val)")
    add("--n", type=int, default=0, help="photos, evenly spaced (default: 0, all)")
    add("--n-portraits", type=int, default=70, help="portraits, evenly spaced (default: 70)")
    add("--max-second", type=float, default=1.0,
        help="largest second_share of a photo, 0..1 (default: 1, all photos)")  # fmt: skip
    add("--scorer", nargs="+", default=[zoo.DEFAULT], help="shipped names or folders")
    add("--name", default="originals", help="name of the page (default: originals)")
    return parser.parse_args(arguments)


def one_face(photos: Manifest, options: argparse.Namespace) -> Manifest:
    """The photos in which the second face is small enough beside the largest."""
    shares = photos.groups.get("second_share")
    if shares is None:
        if options.max_second < 1:
            raise UsageError(f"{photos.source} has no column second_share; leave --max-second out")
        return photos
    return photos.take(np.flatnonzero(np.array(shares, float) <= options.max_second))


def score(name: str, faces: str, pictures: Manifest) -> Scored:
    scorer = Scorer(name, faces=faces)
    results = list(scorer.score_iter(pictures.paths))
    return Scored(scorer.card.name, results, pictures.labels())


def agreement_table(title: str, scored: Sequence[Scored]) -> Table:
    rows = []
    for one in scored:
        kept = one.found
        judged = evaluate(one.scores[kept], one.labels[kept])
        figures = (shown(each) for each in (judged.srcc, judged.plcc, judged.rmse))
        error = figure(np.mean, one.scores[kept] - one.labels[kept], sign="+")
        rows.append([one.name, len(kept), len(one.labels) - len(kept), *figures, error])
    columns = ("scorer", "n", "no face", "SRCC", "PLCC", "RMSE", "mean error")
    return Table(title, columns, rows)


def size_table(scored: Sequence[Scored]) -> Table:
    """Mean label, score and error for faces of rising width, as the detector measures it."""
    names = [f"under {WIDTHS[0]}", *(f"{a}-{b}" for a, b in pairwise(WIDTHS))]
    rows = []
    for one in scored:
        kept = one.found
        widths = [face.box.width if (face := one.results[row].faces[0].face) else 0 for row in kept]
        place = np.searchsorted(WIDTHS, widths, side="right")
        for number, name in enumerate([*names, f"{WIDTHS[-1]} and more"]):
            there = np.array(kept)[place == number]
            error = figure(np.mean, one.scores[there] - one.labels[there], sign="+")
            means = [mean(one.labels[there]), mean(one.scores[there])]
            rows.append([one.name, name, len(there), *means, error])
    columns = ("scorer", "face, px", "n", "mean label", "mean score", "mean error")
    return Table("By the width of the face", columns, rows)


def coverage_table(groups: dict[str, Sequence[Scored]]) -> Table:
    """How often the interval holds the label."""
    rows = []
    for group, scored in groups.items():
        for one in scored:
            kept = [one.results[row].faces[0] for row in one.found]
            labels = one.labels[one.found]
            ends = np.array([(face.low, face.high) for face in kept])
            inside = (ends[:, 0] <= labels) & (labels <= ends[:, 1])
            width = figure(np.mean, ends[:, 1] - ends[:, 0])
            rows.append([one.name, group, len(kept), figure(np.mean, inside.astype(float)), width])
    columns = ("scorer", "pictures", "n", "share of labels inside", "mean width")
    return Table("The interval", columns, rows)


def enlarged_table(names: Sequence[str], photos: Manifest) -> Table:
    """Change of the score when a photo is enlarged; filters in turn."""
    rows: list[list[object]] = []
    small = [path for path in photos.paths if fits(path)]
    for name in names:
        before = views(name, "auto", small, lambda pixels, row: pixels)
        for factor in FACTORS:
            after = views(name, "auto", small, lambda p, row, f=factor: enlarged(p, f, row))  # type: ignore[misc]
            rows.append([Scorer(name).card.name, f"{factor} times", *change(before, after)])
    columns = ("scorer", "enlarged", "n", "mean change", "mean absolute change")
    note = (
        "Bilinear, bicubic and Lanczos filters in turn. No detail is added, so scores should stay."
    )
    return Table("Enlarged photos", columns, rows, note)


def fits(path: Path) -> bool:
    with Image.open(path) as picture:
        return picture.width * picture.height * FACTORS[-1] ** 2 <= MAX_ENLARGED


def enlarged(pixels: Pixels, factor: int, row: int) -> Pixels:
    picture = Image.fromarray(pixels)
    size = (picture.width * factor, picture.height * factor)
    return np.asarray(picture.resize(size, FILTERS[row % len(FILTERS)]))


def colour_table(names: Sequence[str], portraits: Manifest) -> Table:
    """Change of the score when a portrait loses its colours or turns sepia."""
    kinds = {"grey": (1.0, 1.0, 1.0), "sepia": tuple(SEPIA)}
    rows: list[list[object]] = []
    for name in names:
        before = views(name, "auto", portraits.paths, lambda pixels, row: pixels)
        for kind, colour in kinds.items():
            after = views(
                name, "auto", portraits.paths,
                lambda pixels, row, colour=colour: coloured(pixels, colour),  # type: ignore[misc]
            )  # fmt: skip
            both = np.isfinite(before) & np.isfinite(after)
            order = figure(srcc, before[both], after[both])
            rows.append([Scorer(name).card.name, kind, *change(before, after), order])
    columns = ("scorer", "colours", "n", "mean change", "mean absolute change", "SRCC of both")
    return Table("Portraits without their colours", columns, rows)


def coloured(pixels: Pixels, colour: Sequence[float]) -> Pixels:
    grey = (pixels @ LUMA)[..., None] * np.asarray(colour)
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8)


def margin_table(names: Sequence[str], portraits: Manifest) -> Table:
    """Change of the score when a crop around the face is a little wider, in both modes."""
    rows: list[list[object]] = []
    for name in names:
        for faces in ("auto", "all"):
            scorer = Scorer(name, faces=faces)
            apart = []
            for path in portraits.paths:
                pixels = open_picture(path)
                found = scorer.score(pixels).faces
                if not found or found[0].face is None:
                    continue
                box, height, width = found[0].face.box, *pixels.shape[:2]
                pair = [
                    main_score(scorer.score(cut(pixels, box, width, height, margin)))
                    for margin in (0.5, 0.5 + MARGIN)
                ]
                apart.append(abs(pair[1] - pair[0]))
            kept = np.array(apart)[np.isfinite(apart)]
            median = figure(lambda x: float(np.median(x)), kept)
            rows.append([scorer.card.name, faces, len(kept), median])
    columns = ("scorer", "faces", "n", "median absolute change")
    note = f"The crop leaves half of the face's width on each side, then {MARGIN:.0%} more."
    return Table("A crop that is a little wider", columns, rows, note)


def cut(pixels: Pixels, box: Box, width: int, height: int, margin: float) -> Pixels:
    """The part of a picture around a face, with a margin in face widths."""
    by = margin * box.width
    top, bottom = max(0, round(box.top - by)), min(height, round(box.bottom + by))
    left, right = max(0, round(box.left - by)), min(width, round(box.right + by))
    return np.ascontiguousarray(pixels[top:bottom, left:right])


def views(
    name: str, faces: str, paths: Sequence[Path], change: Callable[[Pixels, int], Pixels]
) -> Scores:
    """Scores (N,) of changed pictures; nan without a face."""

    def made() -> Iterator[Pixels]:
        for row, path in enumerate(paths):
            yield change(open_picture(path), row)

    return np.array([main_score(one) for one in Scorer(name, faces=faces).score_iter(made())])


def change(before: Scores, after: Scores) -> list[object]:
    apart = (after - before)[np.isfinite(before) & np.isfinite(after)]
    return [len(apart), figure(np.mean, apart, sign="+"), figure(np.mean, np.abs(apart))]


def mean(values: Scores) -> str:
    return f"{values.mean():.3f}" if len(values) else "-"


if __name__ == "__main__":
    main()
