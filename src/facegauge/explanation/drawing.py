"""An explanation as one picture, drawn with Pillow."""

from __future__ import annotations

import io
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from facegauge.explanation.parts import (
    HEAT_MAP_WORDS,
    ZERO,
    advice_of,
    colour_of,
    face_picture,
    factor_words,
    notes_words,
    score_words,
    shares_words,
    with_heat_map,
)
from facegauge.lettering import drawable, font

if TYPE_CHECKING:
    from facegauge.explanation.explained import Explained
    from facegauge.results import FaceScore

WIDTH, MARGIN, LINE, LETTER = 1000, 24, 22, 15  # px
SHOWN = (WIDTH - 2 * MARGIN, 520)  # the picture is at most this large
FACE = (260, 320)  # and a face
NAME, BAR, VALUE = 130, 180, 190  # px: columns of a factor's row
LETTERS = 68  # characters of a line of text beside a face
MOST = 20  # faces; more make a picture that no one can read
INK, PAPER, PALE, EDGE = (24, 24, 27), (255, 255, 255), (226, 226, 230), (224, 122, 0)


def as_png(explanation: Explained) -> bytes:
    """The picture with a box and a number for each face, and below it a part for each."""
    faces = explanation.result.faces[:MOST]
    parts = [_overview(explanation), *(_part(explanation, place) for place in range(len(faces)))]
    if len(explanation.result.faces) > MOST:
        parts.append(_text([f"and {len(explanation.result.faces) - MOST} more faces"]))
    sheet = Image.new("RGB", (WIDTH, sum(part.height for part in parts) + MARGIN), PAPER)
    top = 0
    for part in parts:
        sheet.paste(part, (0, top))
        top += part.height
    file = io.BytesIO()
    sheet.save(file, "PNG")
    return file.getvalue()


def _overview(explanation: Explained) -> Image.Image:
    result, picture = explanation.result, Image.fromarray(explanation.pixels)
    scale = min(1.0, SHOWN[0] / picture.width, SHOWN[1] / picture.height)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    shown = picture.resize(size, Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(shown)
    for number, face in enumerate(result.faces):
        if face.face is None:
            continue
        box = face.face.box
        edges = [edge * scale for edge in (box.left, box.top, box.right, box.bottom)]
        draw.rectangle(edges, outline=EDGE, width=3)
        label = f" {number}: {face.score:.2f} "
        place = (max(0.0, edges[0]), max(0.0, edges[1] - LINE))
        draw.rectangle(draw.textbbox(place, label, font(LETTER)), fill=EDGE)
        _write(draw, place, label)
    words = [Path(result.path).name, f"scorer {explanation.card.name} {explanation.card.version}"]
    words += [f"{result.status.value}: {result.message}"] if not result.faces else []
    words += [HEAT_MAP_WORDS] if any(explanation.heat_maps) else []
    text = _text(words)
    part = Image.new("RGB", (WIDTH, MARGIN + shown.height + text.height), PAPER)
    part.paste(shown, (MARGIN, MARGIN))
    part.paste(text, (0, MARGIN + shown.height))
    return part


def _part(explanation: Explained, place: int) -> Image.Image:
    """One face: its frame under the heat map, the factors, advice, and what moved the score."""
    face, heat_map = explanation.result.faces[place], explanation.heat_maps[place]
    shown = face_picture(explanation.pixels, explanation.frames[place], FACE)
    if heat_map is not None:
        shown = with_heat_map(shown, heat_map)
    lines = [f"face {place}: {score_words(face)}"]
    lines += [line for note in notes_words(face) for line in textwrap.wrap(note, LETTERS)]
    after = [*advice_of(face), *shares_words(explanation, place)]
    after = [line for text in after for line in textwrap.wrap(text, LETTERS)]
    factors = len(face.ratings)
    height = max(shown.height, LINE * (len(lines) + factors + len(after) + 1)) + 2 * MARGIN
    part = Image.new("RGB", (WIDTH, height), PAPER)
    part.paste(shown, (MARGIN, MARGIN))
    draw, left, top = ImageDraw.Draw(part), FACE[0] + 2 * MARGIN, MARGIN
    draw.line((MARGIN, MARGIN // 2, WIDTH - MARGIN, MARGIN // 2), PALE, 2)
    for line in lines:
        _write(draw, (left, top), line)
        top += LINE
    _bars(draw, face, left, top)
    top += LINE * factors + LINE // 2
    for line in after:
        _write(draw, (left, top), line)
        top += LINE
    return part


def _bars(draw: ImageDraw.ImageDraw, face: FaceScore, left: int, top: int) -> None:
    """A row for each factor: its name, a bar as long as its rating, and its figures."""
    for name, rated in face.ratings.items():
        title, figures = factor_words(name, rated)
        _write(draw, (left, top), title)
        start, end = left + NAME, left + NAME + BAR
        draw.rectangle((start, top + 4, end, top + LINE - 6), fill=PALE)
        if rated.rating is not None:
            filled = start + max(round(BAR * rated.rating), ZERO)
            draw.rectangle((start, top + 4, filled, top + LINE - 6), fill=colour_of(rated.rating))
        _write(draw, (end + 10, top), figures)
        top += LINE


def _text(lines: list[str]) -> Image.Image:
    """Lines as wide as the picture."""
    wrapped = [part for line in lines for part in textwrap.wrap(line, 110)]
    part = Image.new("RGB", (WIDTH, LINE * len(wrapped) + MARGIN // 2), PAPER)
    draw = ImageDraw.Draw(part)
    for number, line in enumerate(wrapped):
        _write(draw, (MARGIN, MARGIN // 3 + LINE * number), line)
    return part


def _write(draw: ImageDraw.ImageDraw, place: tuple[float, float], text: str) -> None:
    draw.text(place, drawable(text, font(LETTER)), INK, font(LETTER))
