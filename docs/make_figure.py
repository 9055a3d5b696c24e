"""Makes the picture at the top of the README: the example with box, score, heat map, factors.

    python docs/make_figure.py

What `facegauge explain examples/astronaut.jpg -o figure.png` draws, saved as a small JPEG.
"""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from facegauge.explanation import explain
from facegauge.explanation.drawing import as_png

FIGURE = Path(__file__).parent / "figure.jpg"
EXAMPLE = FIGURE.parents[1] / "examples" / "astronaut.jpg"
QUALITY = 82


def main() -> None:
    drawn = Image.open(io.BytesIO(as_png(explain(EXAMPLE))))
    drawn.convert("RGB").save(FIGURE, "JPEG", quality=QUALITY, optimize=True)


if __name__ == "__main__":
    main()
