"""What a picture and a page of an explanation have in common: words, colours, pictures of faces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from facegauge.arrays import Pixels
from facegauge.calibration import BANDS
from facegauge.faces.notes import NOTES
from facegauge.ratings import PROBLEM, RATINGS, Rated
from facegauge.results import Box, FaceScore, HeatMap

if TYPE_CHECKING:
    from facegauge.explanation.explained import Explained

RAISED, LOWERED = (224, 122, 0), (35, 96, 200)  # where a map is above and below its mean
STRONGEST = 0.65  # opacity of a map's largest deviation
BEYOND = (128, 128, 128)  # what of a frame lies beyond the picture
ZERO = 3  # pixels of the bar of a rating of 0, so that it is not taken for one that is missing
GOOD, PROBLEMATIC = (46, 125, 70), (190, 60, 40)  # bars of ratings
LEAST_SHARE = 0.0005  # smaller ones round to 0
HEAT_MAP_WORDS = "Orange parts of the face raise the score, blue parts lower it."

UNEXPLAINED = (
    "No factor is a problem, and yet the score is low: small faces hide noise and compression from "
    "the factors."
)


def score_words(face: FaceScore) -> str:
    """The score with its band, interval and percentile."""
    return (
        f"score {face.score:.3f}, {face.band}; 90 % interval {face.low:.2f} to {face.high:.2f}; "
        f"percentile {face.percentile:.0f}"
    )


def factor_words(name: str, rated: Rated) -> tuple[str, str]:
    """A factor's title, and its rating and value as text, the value with its unit or range."""
    known = RATINGS[name]
    if rated.value is None or rated.rating is None:
        return known.title, "not measured"
    unit = f"; {known.unit[1:-1]}" if known.unit.startswith("(") else f" {known.unit}"
    return known.title, f"{rated.rating:.2f} (value {rated.value:.3g}{unit.rstrip()})"


def notes_words(face: FaceScore) -> list[str]:
    """A line for each note, with what it means."""
    return [f"note {note}: {NOTES.get(note, 'a note of another version')}" for note in face.notes]


def colour_of(rating: float) -> tuple[int, int, int]:
    """The colour of a rating's bar."""
    return PROBLEMATIC if rating < PROBLEM else GOOD


def advice_of(face: FaceScore) -> list[str]:
    """The sentences for a face's problems, worst first; or that there is none."""
    ratings = face.ratings
    if face.problems:
        return [ratings[name].advice for name in face.problems]
    return [UNEXPLAINED if face.band in BANDS[:2] else "No factor is a problem."]


def shares_words(explanation: Explained, place: int) -> list[str]:
    """What moved the score: a line that introduces, and one for each factor that moved it."""
    moved, model = explanation.shares(place), explanation.attribution
    if model is None or not moved:
        return []
    first = (
        f"{model.n} photos score {model.mean:.3f} on average. What moves this score away from "
        f"there, by a model of the factors that explains {model.r2:.0%} of how scores differ:"
    )
    lines = [
        f"{RATINGS[name].title} {share:+.3f}"
        for name, share in moved.items()
        if abs(share) >= LEAST_SHARE
    ]
    together, score = model.mean + sum(moved.values()), explanation.result.faces[place].score
    return [first, *lines, f"average and moves together {together:.3f}; the score is {score:.3f}"]


def face_picture(pixels: Pixels, frame: Box, size: tuple[int, int]) -> Image.Image:
    """What a frame shows, resized to fit a size; grey beyond the picture."""
    edges = [round(edge) for edge in (frame.left, frame.top, frame.right, frame.bottom)]
    left, top, right, bottom = edges
    height, width = pixels.shape[:2]
    scale = min(size[0] / max(1, right - left), size[1] / max(1, bottom - top))
    inside = (max(0, left), max(0, top), min(width, right), min(height, bottom))
    canvas = Image.new(
        "RGB",
        (max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale))),
        BEYOND,
    )
    if inside[2] > inside[0] and inside[3] > inside[1]:
        part = Image.fromarray(
            np.ascontiguousarray(pixels[inside[1] : inside[3], inside[0] : inside[2]])
        )
        target = (max(1, round(part.width * scale)), max(1, round(part.height * scale)))
        shown = part.resize(target, Image.Resampling.LANCZOS)
        canvas.paste(shown, (round((inside[0] - left) * scale), round((inside[1] - top) * scale)))
    return canvas


def with_heat_map(picture: Image.Image, heat_map: HeatMap) -> Image.Image:
    """A frame's picture under its heat map: coloured where a place deviates from the mean."""
    values = np.asarray(heat_map.values, np.float32)
    deviation = values - values.mean()
    largest = float(np.abs(deviation).max())
    if not largest:
        return picture
    even = Image.fromarray(deviation / largest).resize(picture.size, Image.Resampling.BICUBIC)
    shown = np.clip(np.asarray(even), -1, 1)[..., None]
    colours = np.where(shown > 0, np.array(RAISED), np.array(LOWERED))
    opacity = np.abs(shown) * STRONGEST
    mixed = np.asarray(picture, np.float32) * (1 - opacity) + colours * opacity
    return Image.fromarray(np.rint(mixed).astype(np.uint8))


def text_lines(explanation: Explained) -> list[str]:
    """An explanation as lines of text."""
    result = explanation.result
    lines = [] if result.faces else [f"{result.path}: {result.status.value}: {result.message}"]
    for number, face in enumerate(result.faces):
        lines.append(f"{result.path}: face {number}: {score_words(face)}")
        if face.notes:
            lines += [f"  {words}" for words in notes_words(face)]
        for name, rated in face.ratings.items():
            title, figures = factor_words(name, rated)
            lines.append(f"  {title:<13} {figures}")
        lines += [f"  {advice}" for advice in advice_of(face)]
        first, *moved = shares_words(explanation, number) or [""]
        lines += [f"  {first}", *(f"    {line}" for line in moved)] if first else []
    return lines
