"""The resolution of a face: its size in pixels, and how much the network's input enlarges it."""

from __future__ import annotations

import math
from collections.abc import Mapping

from facegauge.arrays import Pixels
from facegauge.faces.framing import part_of
from facegauge.faces.spec import PreprocessSpec
from facegauge.results import Box, Face
from facegauge.schema import Column, Value


class Resolution:
    """Measures sizes from the face box, the eyes and the frame, without reading pixels.

    A picture that was enlarged before has more pixels than detail: these are sizes, not sharpness.

    Args:
        spec: of the scorer, for the size of its input.
    """

    name = "resolution"
    columns = (
        Column("face_width", "float", "Width of the face box, in pixels.", "px"),
        Column("face_height", "float", "Height of the face box, in pixels.", "px"),
        Column("eye_distance", "float", "Distance between the two eye points, in pixels.", "px"),
        Column(
            "upscale",
            "float",
            "Width of the network's input over the width of what it shows of the face's frame: "
            "above 1 the network sees an enlarged face, below 1 a reduced one.",
            "times",
        ),
    )

    def __init__(self, spec: PreprocessSpec) -> None:
        self._spec = spec

    def measure(self, pixels: Pixels, face: Face | None, frame: Box) -> Mapping[str, Value]:
        """The sizes; those of the face are None when the picture is scored whole."""
        eyes = face.points[:2] if face else ()
        return {
            "face_width": face.box.width if face else None,
            "face_height": face.box.height if face else None,
            "eye_distance": math.dist(*eyes) if eyes else None,
            "upscale": self._spec.width / part_of(frame, self._spec).width,
        }
