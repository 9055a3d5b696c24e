"""Words in pictures: no font draws boxes for letters that it lacks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from PIL import ImageFont

from facegauge import lettering
from facegauge.explanation import drawing
from facegauge.visual.sheet import fitting

NARROW = ImageFont.load_default(15)  # Pillow's own: ASCII and little more


@pytest.fixture
def bare_system(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No font but Pillow's own."""
    monkeypatch.setattr(lettering, "WIDE_FONTS", ("none-such.ttf",))
    lettering.font.cache_clear()
    yield
    lettering.font.cache_clear()


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("Müller Straße.jpg", "Muller Strasse.jpg"),
        ("Mu\u0308ller", "Muller"),  # decomposed, as macOS writes names
        ("Łódź, Øre", "Lodz, Ore"),
        ("a\n\u200b李\ud800.jpg", "a????.jpg"),
        ("plain_1 (2).jpg", "plain_1 (2).jpg"),
    ],
)
def test_what_a_font_lacks_is_spelled_without_it(text: str, drawn: str) -> None:
    assert lettering.drawable(text, NARROW) == drawn


def test_a_missing_letter_is_told_from_one_that_is_there() -> None:
    assert lettering.drawable("ü", NARROW) == "u" and lettering.drawable("u~[]", NARROW) == "u~[]"


def test_a_wide_font_keeps_umlauts() -> None:
    wide = lettering.font(15)
    if wide.getname()[0] == NARROW.getname()[0]:  # type: ignore[union-attr]
        pytest.skip("this system has no wide font")
    assert lettering.drawable("Müller Straße é Ω ж", wide) == "Müller Straße é Ω ж"


@pytest.mark.usefixtures("bare_system")
def test_without_a_wide_font_words_are_still_drawn() -> None:
    small = lettering.font(12)
    assert fitting("Bühne-ä.jpg", small, 500) == "Buhne-a.jpg"
    sheets = [np.asarray(drawing._text([text])) for text in ("Jürgen ß", "Jurgen ss")]
    assert np.array_equal(sheets[0], sheets[1]) and sheets[0].min() < 255


def test_matplotlib_lends_its_font(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    real = ImageFont.truetype

    def bundled(name: str, size: int) -> ImageFont.FreeTypeFont:
        if "mpl-data" not in name:
            raise OSError("not on this system")
        return real(name, size)

    monkeypatch.setattr(ImageFont, "truetype", bundled)
    lettering.font.cache_clear()
    font = lettering.font(15)
    lettering.font.cache_clear()
    assert font.getname()[0] == "DejaVu Sans"  # type: ignore[union-attr]
