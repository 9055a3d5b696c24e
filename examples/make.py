"""Makes the example pictures: one portrait, and copies with one thing wrong each.

    python examples/make.py                 the degraded copies, from astronaut.jpg
    python examples/make.py astronaut.png   astronaut.jpg first, from the picture in scikit-image

Needs numpy and Pillow only. Every copy is degraded at severity 3 of 5 by the same functions that
training uses, with a fixed random seed, and saved as JPEG at quality 95.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from facegauge.arrays import Pixels
from facegauge.data.degradations import degrade
from facegauge.images.loading import open_picture

FOLDER = Path(__file__).parent
ORIGINAL = FOLDER / "astronaut.jpg"
SEVERITY = 3
COPIES = {
    "astronaut_blur.jpg": "gaussian_blur",
    "astronaut_dark.jpg": "dark",
    "astronaut_jpeg.jpg": "jpeg",
    "astronaut_noise.jpg": "noise",
    "astronaut_small.jpg": "downscale",
}


def degraded(pixels: Pixels, kind: str) -> Pixels:
    """The portrait with one thing wrong; always the same."""
    return degrade(pixels, kind, SEVERITY, np.random.default_rng(0))


def save(pixels: Pixels, path: Path) -> None:
    Image.fromarray(pixels).save(path, "JPEG", quality=95, subsampling=0, optimize=True)


def main(arguments: list[str]) -> None:
    if arguments:
        save(open_picture(arguments[0]), ORIGINAL)
    pixels = open_picture(ORIGINAL)
    for name, kind in COPIES.items():
        save(degraded(pixels, kind), FOLDER / name)


if __name__ == "__main__":
    main(sys.argv[1:])
