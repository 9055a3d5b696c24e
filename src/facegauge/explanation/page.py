"""An explanation as a page: one file, nothing fetched, no script."""

from __future__ import annotations

import base64
import io
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

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

if TYPE_CHECKING:
    from facegauge.explanation.explained import Explained
    from facegauge.ratings import Rated

SHOWN = (1200, 1200)  # the picture is at most this large, px
FACE = (320, 392)  # and a face
QUALITY = 85  # of the pictures in the page, JPEG

STYLE = """
:root { color-scheme: light dark; --ink: #18181b; --paper: #fff; --pale: #e2e2e6; --soft: #52525b; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #f4f4f5; --paper: #18181b; --pale: #3f3f46; --soft: #c4c4cc; }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 62rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.15rem; }
.picture { position: relative; display: inline-block; max-width: 100%; }
.picture img { display: block; max-width: 100%; height: auto; }
.box { position: absolute; box-sizing: border-box; border: 3px solid #e07a00; }
.box span { background: #e07a00; color: #18181b; padding: 0 .3em; font-size: .85rem;
  white-space: nowrap; }
section { border-top: 2px solid var(--pale); display: flex; flex-wrap: wrap; gap: 1.5rem; }
section > * { flex: 1 1 18rem; min-width: 0; }
section > figure { flex: 0 1 20rem; margin: 1rem 0; }
figure img { max-width: 100%; height: auto; }
figcaption, .soft { color: var(--soft); }
table { border-collapse: collapse; width: 100%; }
th, td { overflow-wrap: normal; text-align: left; }
th { font-weight: normal; padding-right: .8rem; } .problem, .problem th { font-weight: bold; }
td:last-child { padding-left: .5rem; }
td.bar { width: 40%; } @media (max-width: 30rem) { td.bar { width: 25%; } }
td.bar div { background: var(--pale); height: .8rem; }
td.bar div div { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
""".strip()


def as_html(explanation: Explained) -> bytes:
    """The page."""
    result, name = explanation.result, escape(Path(explanation.result.path).name)
    card = explanation.card
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "img-src data:; style-src 'unsafe-inline'\">",
        f"<title>{name}: facegauge</title><style>{STYLE}</style></head><body><main>",
        f"<h1>{name}</h1>",
        f'<p class="soft">Scorer {escape(card.name)} {escape(card.version)}, perceptual quality '
        "from 0 (worst) to 1 (best).</p>",
        _picture(explanation),
    ]
    if result.message or not result.faces:
        parts.append(f"<p>{escape(f'{result.status.value}: {result.message}')}</p>")
    parts += [_section(explanation, place) for place in range(len(result.faces))]
    parts.append("</main></body></html>\n")
    return "\n".join(parts).encode()


def _picture(explanation: Explained) -> str:
    """The picture, with a box for each face."""
    height, width = explanation.pixels.shape[:2]
    picture = Image.fromarray(explanation.pixels)
    picture.thumbnail(SHOWN)
    boxes = []
    for number, face in enumerate(explanation.result.faces):
        if face.face is None:
            continue
        box = face.face.box
        left, top = max(0.0, box.left), max(0.0, box.top)
        place = {
            "left": left / width,
            "top": top / height,
            "width": (min(width, box.right) - left) / width,
            "height": (min(height, box.bottom) - top) / height,
        }
        style = ";".join(f"{key}:{value:.4%}" for key, value in place.items())
        boxes.append(
            f'<div class="box" style="{style}"><span>{number}: {face.score:.2f}</span></div>'
        )
    image = _image(picture, "The picture, with a box around each face")
    return f'<div class="picture">{image}{"".join(boxes)}</div>'


def _section(explanation: Explained, place: int) -> str:
    """One face."""
    face, heat_map = explanation.result.faces[place], explanation.heat_maps[place]
    shown = face_picture(explanation.pixels, explanation.frames[place], FACE)
    caption = ""
    if heat_map is not None:
        shown = with_heat_map(shown, heat_map)
        caption = f"<figcaption>{HEAT_MAP_WORDS}</figcaption>"
    rows = "".join(_row(name, rated) for name, rated in face.ratings.items())
    notes = "".join(f"<p>{escape(words)}</p>" for words in notes_words(face))
    return (
        f"<section><figure>{_image(shown, f'Face {place}')}{caption}</figure>"
        f"<div><h2>Face {place}: {escape(score_words(face))}</h2>{notes}"
        "<table><thead><tr><th scope='col'>factor</th><th scope='colgroup' colspan='2'>rating, "
        f"0 (severe) to 1</th></tr></thead><tbody>{rows}</tbody></table>"
        f"{_after(explanation, place)}</div></section>"
    )


def _row(name: str, rated: Rated) -> str:
    title, figures = factor_words(name, rated)
    bar = ""
    if rated.rating is not None:
        colour = "#{:02x}{:02x}{:02x}".format(*colour_of(rated.rating))
        width = f"max({rated.rating:.1%}, {ZERO}px)"
        bar = f'<div style="width:{width};background:{colour}"></div>'
    return (
        f"<tr{' class=problem' if rated.advice else ''}><th scope='row'>{escape(title)}</th>"
        f"<td class='bar'><div>{bar}</div></td><td>{escape(figures)}</td></tr>"
    )


def _after(explanation: Explained, place: int) -> str:
    """Advice, and what moved the score."""
    face = explanation.result.faces[place]
    advice = "".join(f"<li>{escape(line)}</li>" for line in advice_of(face))
    text = f"<ul>{advice}</ul>"
    first, *lines = shares_words(explanation, place) or [""]
    if first:
        items = "".join(f"<li>{escape(line)}</li>" for line in lines)
        text += f"<p>{escape(first)}</p><ul>{items}</ul>"
    return text


def _image(picture: Image.Image, words: str) -> str:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=QUALITY)
    data = base64.b64encode(file.getvalue()).decode()
    return (
        f'<img src="data:image/jpeg;base64,{data}" alt="{escape(words)}" '
        f'width="{picture.width}" height="{picture.height}">'
    )
