"""Measure something of your own on every face, beside its score: a factor.

    python examples/python/custom_factor.py
    python examples/python/custom_factor.py photos --output faces.csv

A factor is an object with a name, columns and a method `measure`. It sees the pixels of the upright
picture once, while they are at hand, so nothing is decoded twice. Its values are in the result in
Python and in the columns of the table.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from facegauge import Box, Face, Scorer
from facegauge.arrays import Pixels
from facegauge.images import find_pictures
from facegauge.schema import Column

EXAMPLES = Path(__file__).resolve().parent.parent


class Detail:
    """How much fine detail and how much light a face has."""

    name = "detail"
    columns = (
        Column("laplacian", "float", "Variance of the box's Laplacian, in squared grey levels."),
        Column("brightness", "float", "Mean grey level of the face box, 0 to 255."),
    )

    def measure(self, pixels: Pixels, face: Face | None, frame: Box) -> dict[str, float]:
        box = face.box if face else frame  # no face: the whole picture is scored
        top, left = max(0, round(box.top)), max(0, round(box.left))
        grey = pixels[top : round(box.bottom), left : round(box.right)].mean(2)
        edges = (grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]) - 4 * grey[
            1:-1, 1:-1
        ]
        return {"laplacian": float(np.var(edges)), "brightness": float(grey.mean())}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", nargs="?", type=Path, default=EXAMPLES)
    parser.add_argument("--output", type=Path, default=Path("detail.csv"), help="table to write")
    given = parser.parse_args(arguments)

    scorer = Scorer(factors=[Detail()])
    print("score  laplacian  brightness")
    with scorer.open_table(given.output, overwrite=True) as table:
        for result in scorer.score_iter(find_pictures([given.folder])):
            table.write(result)
            for face in result.faces:
                measured = face.factors
                print(
                    f"{face.score:.3f}  {measured['laplacian']:9.1f}  "
                    f"{measured['brightness']:10.1f}  {Path(result.path).name}"
                )
    print(f"also in {given.output}")


if __name__ == "__main__":
    main()
