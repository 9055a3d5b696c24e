"""Does each factor of quality follow its own degradation, and no other?

    python benchmarks/factors.py --portraits portraits/ studio/

Every other portrait, by name, tunes: the thresholds in `facegauge/ratings.py` were read off the
table of values. The others are reported. Each portrait is degraded with severities 0 to 5 and
measured with the box and points found on the undegraded one; for three factors that no degradation
changes, the picture is shrunk, tilted, or cut. Exposure, colour cast and pose have two sides, so
that a change may first correct what a portrait has: these are reported of portraits whose rating is
1 without a change. Reported: the mean over portraits of the rank correlation between severity and
the fall of a rating (0 where the rating does not change), the same over all portraits together, and
the CPU time.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from page import Table, arguments_for, publish
from pictures import evenly
from PIL import Image

from facegauge import Scorer, zoo
from facegauge.data.degradations import DEGRADATIONS, degrade
from facegauge.evaluation.metrics import srcc
from facegauge.faces.extraction import FaceExtractor
from facegauge.faces.framing import frame_around
from facegauge.faces.policy import ExtractionPolicy
from facegauge.factors.quality import Quality
from facegauge.images.discovery import find_pictures
from facegauge.ratings import RATING, RATINGS, VALUE
from facegauge.results import Box, Face

SEVERITIES = range(6)
SHRINK = (1, 1.5, 2, 3, 4.5, 7)
TILT = (0, 8, 16, 24, 33, 42)  # degrees
CUT = (0, 0.1, 0.2, 0.3, 0.4, 0.5)  # of the face's width
OWN = {
    "sharpness": ("gaussian_blur", "box_blur", "defocus"),
    "motion": ("motion_blur",),
    "noise": ("noise", "iso_noise"),
    "blocking": ("jpeg",),
    "exposure": ("dark", "bright"),
    "contrast": ("low_contrast",),
    "colour_cast": ("colour_cast",),
    "resolution": ("shrink",),
    "pose": ("tilt",),
    "cut_off": ("cut",),
}
"""The degradations that each factor is there for."""

NAMED = {
    ("sharpness", "downscale"): "enlarging does not bring detail back",
    ("sharpness", "zoom_blur"): "a blur",
    ("sharpness", "motion_blur"): "a blur",
    ("sharpness", "shrink"): "fewer pixels hold less detail",
    ("exposure", "sun_flare"): "a bright part of the face",
    ("colour_cast", "low_contrast"): "takes the warmth of skin",
}
"""Other degradations that a factor may follow, and why."""

TWO_SIDED = ("exposure", "colour_cast", "pose")
LEAST, MOST = 0.9, 0.3
Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Seen:
    """A picture with the box and the points of its face."""

    pixels: np.ndarray
    face: Face


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    spec = Scorer(options.scorer).spec
    extractor = FaceExtractor(spec, ExtractionPolicy("largest"))
    paths = [path for folder in options.portraits for path in find_pictures([folder])]
    halves = {
        half: [seen for path in evenly(some, n) if (seen := upright(extractor, path))]
        for half, some, n in (
            ("tuning", paths[::2], options.n_tuning),
            ("reported", paths[1::2], options.n),
        )
    }
    quality = Quality(spec)

    def measured(seen: Seen) -> dict[str, float]:
        frame = frame_around(seen.face, spec)
        values = quality.measure(seen.pixels, seen.face, frame)
        return {key: math.nan if cell is None else float(cell) for key, cell in values.items()}

    shares = {half: measure(some, measured) for half, some in halves.items()}
    count = {half: len(some) for half, some in halves.items()}
    tables = [
        correlations(shares["reported"], "each portrait by itself", alone=True),
        correlations(shares["reported"], "all portraits together", alone=False),
        own_table(shares["reported"]),
        problems_table(shares["reported"]),
        values_table(shares["tuning"]),
        cost_table(halves["reported"], measured),
    ]
    intro = (
        f"The ten factors on {count['reported']} portraits; {count['tuning']} others gave the "
        "thresholds. Severities 0 to 5. A positive correlation: the rating falls as the severity "
        f"rises. Bold: the factor's own degradations, expected at {LEAST} or more; in brackets: "
        f"named pairs; all others are expected at {MOST} or less."
    )
    publish("factors", "Factors and degradations", intro, tables, options.results)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments_for(__doc__)
    add = parser.add_argument
    add("--portraits", nargs="+", required=True, type=Path, help="folders of portraits")
    add("--n", type=int, default=100, help="portraits to report (default: %(default)s)")
    add("--n-tuning", type=int, default=50, help="portraits that tune (default: %(default)s)")
    add("--scorer", default=zoo.DEFAULT, help="for the framing (default: %(default)s)")
    return parser.parse_args(arguments)


def upright(extractor: FaceExtractor, path: str) -> Seen | None:
    """A portrait with its largest face, unless there is none or it is turned."""
    located = extractor.locate(path)
    if located.pixels is None or located.turns[0]:
        return None
    assert located.faces[0] is not None
    return Seen(located.pixels, located.faces[0])


def measure(portraits: Sequence[Seen], measured: Callable[[Seen], dict[str, float]]) -> Measured:
    """What is measured on each portrait under each change; (portraits, severities) by column."""
    found: dict[str, dict[str, list[list[float]]]] = {}
    for place, seen in enumerate(portraits):
        first = measured(seen)
        for number, (kind, change) in enumerate(CHANGES.items()):
            rows = [first] + [
                measured(change(seen, severity, np.random.default_rng([place, number])))
                for severity in SEVERITIES[1:]
            ]
            for column in first:
                found.setdefault(column, {}).setdefault(kind, []).append(
                    [row[column] for row in rows]
                )
    return {
        column: {kind: np.array(rows) for kind, rows in kinds.items()}
        for column, kinds in found.items()
    }


Measured = Mapping[str, Mapping[str, Values]]


def counted(measured: Measured, factor: str, kind: str) -> Values:
    """The ratings (portraits, severities) that are reported: all, or those that are right at 0."""
    ratings = measured[RATING + factor][kind]
    return ratings[ratings[:, 0] == 1] if factor in TWO_SIDED else ratings


def correlation(ratings: Values, *, alone: bool) -> float:
    """Rank correlation of severity with the fall of ratings (portraits, severities); 0 if even."""
    if not len(ratings):
        return math.nan
    rows = ratings if alone else ratings.reshape(1, -1)
    severities = np.arange(len(SEVERITIES)) if alone else np.tile(SEVERITIES, len(ratings))
    each = []
    for row in rows:
        known = np.isfinite(row)
        even = not known.any() or np.ptp(row[known]) == 0
        each.append(0.0 if even else -srcc(row[known], severities[known]))
    return float(np.mean(each))


def correlations(measured: Measured, title: str, *, alone: bool) -> Table:
    """Every factor under every change."""
    rows = []
    for kind in CHANGES:
        cells = []
        for factor in RATINGS:
            value = f"{correlation(counted(measured, factor, kind), alone=alone):.2f}"
            if kind in OWN[factor]:
                value = f"**{value}**"
            elif (factor, kind) in NAMED:
                value = f"({value})"
            cells.append(value)
        rows.append([kind, *cells])
    return Table(f"Rank correlation, {title}", ("change", *RATINGS), rows)


def own_table(measured: Measured) -> Table:
    """How often the expectations hold."""
    rows = []
    for factor in RATINGS:
        found = {kind: correlation(counted(measured, factor, kind), alone=True) for kind in CHANGES}
        own = min(found[kind] for kind in OWN[factor])
        others = {
            kind: abs(value)
            for kind, value in found.items()
            if kind not in OWN[factor] and (factor, kind) not in NAMED
        }
        most = max(others, key=others.__getitem__)
        named = ", ".join(f"{kind}: {why}" for (who, kind), why in NAMED.items() if who == factor)
        holds = own >= LEAST and others[most] <= MOST
        rows.append(
            [
                factor,
                len(counted(measured, factor, OWN[factor][0])),
                f"{own:.2f}",
                f"{others[most]:.2f} ({most})",
                "yes" if holds else "no",
                named,
            ]
        )
    columns = ("factor", "portraits", "own, least", "others, most", "as expected", "named pairs")
    return Table("Expectations, each portrait by itself", columns, rows)


def problems_table(measured: Measured) -> Table:
    """How often a factor is a problem."""
    rows = []
    for factor, kinds in OWN.items():
        for kind in kinds:
            ratings = measured[RATING + factor][kind]
            known = ratings[np.isfinite(ratings).all(1)]
            rows.append([factor, kind, len(known), *(f"{(known < 0.5).mean(0)[severity]:.0%}"
                                                    for severity in SEVERITIES)])  # fmt: skip
    columns = ("factor", "change", "portraits", *(f"severity {number}" for number in SEVERITIES))
    return Table("Portraits with a problem (rating below 0.5)", columns, rows)


def values_table(measured: Measured) -> Table:
    """Values from which thresholds were read."""
    rows = []
    for factor, kinds in OWN.items():
        for kind in kinds:
            values = measured[VALUE + factor][kind]
            first = np.nanpercentile(values[:, 0], (10, 50, 90))
            sizes = np.abs(values) if factor == "colour_cast" else values  # of either sign
            medians, last = (
                np.nanmedian(sizes, axis=0)[1:],
                np.nanpercentile(sizes[:, -1], (10, 90)),
            )
            rows.append([factor, kind, *(f"{value:.3f}" for value in (*first, *medians, *last))])
    columns = (
        *("factor", "change", "10 %", "50 %", "90 %"),
        *(f"median at {severity}" for severity in SEVERITIES[1:]),
        *("10 % at 5", "90 % at 5"),
    )
    note = "Percentiles without degradation; of colour casts the medians are those of their size."
    return Table("Values on the portraits that tune", columns, rows, note)


def cost_table(portraits: Sequence[Seen], measured: Callable[[Seen], dict[str, float]]) -> Table:
    """CPU time of all factors of a face; the least of some repetitions."""
    spent = []
    for seen in portraits[:30]:
        times = []
        for _ in range(5):
            start = time.process_time()
            measured(seen)
            times.append(time.process_time() - start)
        spent.append(min(times))
    rows = [[len(spent), f"{1e3 * np.median(spent):.2f}", f"{1e3 * np.max(spent):.2f}"]]
    return Table("Cost", ("faces", "CPU ms a face, median", "most"), rows)


def shrunk(seen: Seen, severity: int, rng: np.random.Generator) -> Seen:
    """Fewer pixels."""
    factor, picture = SHRINK[severity], Image.fromarray(seen.pixels)
    size = (max(1, round(picture.width / factor)), max(1, round(picture.height / factor)))
    across, down = size[0] / picture.width, size[1] / picture.height
    pixels = np.asarray(picture.resize(size, Image.Resampling.BICUBIC))
    return Seen(pixels, moved(seen.face, lambda x, y: (x * across, y * down)))


def tilted(seen: Seen, severity: int, rng: np.random.Generator) -> Seen:
    """Turned about the middle of the face."""
    angle, box = TILT[severity] * rng.choice((-1, 1)), seen.face.box
    x0, y0 = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))

    def turn(x: float, y: float) -> tuple[float, float]:
        return (
            x0 + cosine * (x - x0) + sine * (y - y0),
            y0 - sine * (x - x0) + cosine * (y - y0),
        )

    picture = Image.fromarray(seen.pixels).rotate(
        angle, Image.Resampling.BICUBIC, center=(x0, y0), fillcolor=(128, 128, 128)
    )
    points = tuple(turn(*point) for point in seen.face.points)
    return Seen(np.asarray(picture), Face(box, seen.face.confidence, points))


def cut(seen: Seen, severity: int, rng: np.random.Generator) -> Seen:
    """Without a side of the picture, and with it a part of the face."""
    box, share = seen.face.box, CUT[severity]
    width = seen.pixels.shape[1]
    if rng.choice((False, True)):
        left = max(0, round(box.left + share * box.width))
        return Seen(seen.pixels[:, left:], moved(seen.face, lambda x, y: (x - left, y)))
    right = min(width, round(box.right - share * box.width))
    return Seen(seen.pixels[:, :right], seen.face)


def moved(face: Face, move: Callable[[float, float], tuple[float, float]]) -> Face:
    """A face whose box and points are moved."""
    left, top = move(face.box.left, face.box.top)
    right, bottom = move(face.box.right, face.box.bottom)
    points = tuple(move(*point) for point in face.points)
    return Face(Box(left, top, right, bottom), face.confidence, points)


def degraded(kind: str) -> Callable[[Seen, int, np.random.Generator], Seen]:
    """A degradation as a change of a portrait."""

    def change(seen: Seen, severity: int, rng: np.random.Generator) -> Seen:
        return Seen(degrade(seen.pixels, kind, severity, rng), seen.face)

    return change


CHANGES: Mapping[str, Callable[[Seen, int, np.random.Generator], Seen]] = {
    **{kind: degraded(kind) for kind in DEGRADATIONS},
    "shrink": shrunk,
    "tilt": tilted,
    "cut": cut,
}
"""What is done to a portrait with a severity, by name."""


if __name__ == "__main__":
    main()
