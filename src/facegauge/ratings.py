"""The ten factors of quality as data: what their values mean, how they are rated, what to do.

A rating is 1 where a value is as in good portraits, 0.5 at the threshold from which on it is a
problem, and 0 where it is severe; linear in between. It says what can be seen, not how much the
score moves. Where the numbers come from is said in `RATINGS` and, with figures, in docs/factors.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from facegauge.schema import Column, Schema, Value

PROBLEM = 0.5  # ratings below are problems
VALUE, RATING = "factor_", "rating_"  # before a factor's name, in columns


@dataclass(frozen=True, slots=True)
class Rating:
    """How one factor is rated.

    Attributes:
        title: its name for people.
        doc: what a value is, with its unit and range.
        good, threshold, bad: values with the ratings 1, 0.5 and 0 on the side of high values.
        origin: where these come from.
        advice: what to do where the value passes the threshold.
        low: the same three on the side of low values; empty where values cannot be too low.
        low_advice: what to do there.
        unit: of the values, as in `Column`.
    """

    title: str
    doc: str
    good: float
    threshold: float
    bad: float
    origin: str
    advice: str
    low: tuple[float, float, float] | None = None
    low_advice: str = ""
    unit: str = ""

    def rate(self, value: float) -> float:
        """The rating of a value, 0..1."""
        high = _rate(value, self.good, self.threshold, self.bad)
        return min(high, _rate(value, *self.low)) if self.low else high

    def advise(self, value: float) -> str:
        """What to do; empty where the value is no problem."""
        if _rate(value, self.good, self.threshold, self.bad) < PROBLEM:
            return self.advice
        if self.low and _rate(value, *self.low) < PROBLEM:
            return self.low_advice
        return ""


@dataclass(frozen=True, slots=True)
class Rated:
    """One factor of a face.

    Attributes:
        value: see `RATINGS`; None where it cannot be measured.
        rating: 0 (severe) to 1 (as in good portraits); below 0.5 it is a problem.
        advice: a sentence, empty where there is no problem.
    """

    value: float | None
    rating: float | None
    advice: str = ""


def _rate(value: float, good: float, threshold: float, bad: float) -> float:
    """Linear between the three, which ascend or descend."""
    places, ratings = (good, threshold, bad), (1.0, PROBLEM, 0.0)
    if good > bad:
        places, ratings = places[::-1], ratings[::-1]
    return float(np.interp(value, places, ratings))


PERCENTILES = (
    "1: as good as nine of ten portraits; 0.5: the median of portraits at severity 3; 0: the worst "
    "tenth at severity 5; of "
)
RATINGS: Mapping[str, Rating] = {
    "sharpness": Rating(
        "sharpness",
        "Detail of the face: differences between neighbouring pixels over those between squares of "
        "4 x 4, at a frame 400 px wide; about 0.2, blurred, to 0.5, crisp.",
        0.36,
        0.32,
        0.267,
        PERCENTILES + "Gaussian blur, box blur and defocus",
        "The face is blurred: focus on the eyes, and clean the lens.",
        unit="(0.2 blurred to 0.5 crisp)",
    ),
    "motion": Rating(
        "motion blur",
        "Share of detail that is missing in one direction beside the direction across it, 0, none, "
        "to 1.",
        0.345,
        0.66,
        0.835,
        PERCENTILES + "motion blur",
        "The face or the camera moved: use a shorter exposure, or a flash or a tripod.",
        unit="(0 none to 1)",
    ),
    "noise": Rating(
        "noise",
        "Standard deviation of the noise of the luma, in grey levels of 0 to 255, at a frame 400 "
        "px wide; of a smaller frame in its own pixels, where that is more than 2.8.",
        2.8,
        6.8,
        21.0,
        PERCENTILES + "noise and ISO noise",
        "The picture is noisy: use more light and a lower ISO value.",
        unit="grey levels",
    ),
    "blocking": Rating(
        "blocking",
        "By how much steps at the edges of 8 x 8 blocks exceed other steps, as a share of these; "
        "0, none, to 3 and more. Only in the picture's own pixels.",
        0.14,
        0.96,
        3.8,
        PERCENTILES + "JPEG",
        "The picture is compressed too much: save it with a higher JPEG quality, or send the "
        "original.",
        unit="(0 none to 3)",
    ),
    "exposure": Rating(
        "exposure",
        "-1, black, to 1, all of the face washed out; 0 is right. Above 0 the share of pixels that "
        "are nearly white, below it the light that is missing.",
        0.01,
        0.147,
        0.68,
        PERCENTILES + "dark and bright",
        "The face is overexposed: use less light or a shorter exposure.",
        (-0.15, -0.324, -0.64),
        "The face is dark: use more light on it or a longer exposure.",
        unit="(-1 black to 1 white)",
    ),
    "contrast": Rating(
        "contrast",
        "Michelson contrast between the light and the dark tones of the face, 0 to 1.",
        0.376,
        0.237,
        0.068,
        PERCENTILES + "low contrast",
        "The face lacks contrast: avoid haze and light from behind, or raise the contrast.",
        unit="(0 to 1)",
    ),
    "colour_cast": Rating(
        "colour cast",
        "Stops by which red is too strong beside blue: above 0 warm, below 0 cold; empty without "
        "colours.",
        0.2,
        0.42,
        2.0,
        "0.5: the median of portraits under colour cast of severity 3; the others are our choice",
        "The colours are too warm: correct the white balance.",
        (-0.2, -0.42, -2.0),
        "The colours are too cold: correct the white balance.",
        unit="stops",
    ),
    "resolution": Rating(
        "resolution",
        "Width of the face box, in pixels of the picture.",
        240,
        80,
        40,
        "mean challenge labels of 712 photos by width of the face: good from 240 px, fair from 80 "
        "px, bad below 40 px",
        "The face has few pixels: go nearer, or use the original picture.",
        unit="px",
    ),
    "pose": Rating(
        "pose",
        "Degrees by which the face is turned sideways and tilted, together: the square root of the "
        "sum of squares; empty without the five points.",
        15,
        30,
        60,
        "0.5: 95 % of the labelled photos are turned by less; the others are our choice",
        "The face is turned: look at the camera, and hold it level.",
        unit="degrees",
    ),
    "cut_off": Rating(
        "cut off",
        "Share of the head that lies beyond the picture's border, 0 to 1; the head is estimated "
        "from the face box.",
        0.05,
        0.15,
        0.4,
        "1: hardly a labelled photo has more; the others are our choice",
        "The head is cut off: leave room around it.",
        unit="of the head",
    ),
}
"""How each factor is rated, by name, in the order of their columns."""


COLUMNS = Schema(
    [
        *(Column(VALUE + name, "float", one.doc, one.unit) for name, one in RATINGS.items()),
        *(
            Column(
                RATING + name,
                "float",
                f"Rating of the factor {one.title}, 0 (severe) to 1 (as in good portraits); below "
                f"{PROBLEM} it is a problem.",
            )
            for name, one in RATINGS.items()
        ),
    ]
)
"""The columns of the factors in tables: of each the value, then of each the rating."""


def as_columns(values: Mapping[str, float | None]) -> dict[str, Value]:
    """Values by factor, with their ratings, as cells of `COLUMNS`."""
    cells: dict[str, Value] = {VALUE + name: value for name, value in values.items()}
    for name, value in values.items():
        cells[RATING + name] = None if value is None else RATINGS[name].rate(value)
    return cells


def rated(cells: Mapping[str, Value]) -> dict[str, Rated]:
    """The factors whose values are among some cells, by name; empty where none was measured."""
    found = {}
    for name, rating in RATINGS.items():
        if VALUE + name in cells:
            value = cells[VALUE + name]
            if isinstance(value, int | float):
                found[name] = Rated(float(value), rating.rate(value), rating.advise(value))
            else:
                found[name] = Rated(None, None)
    return found
