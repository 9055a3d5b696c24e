"""The apparent colour of the skin on both cheeks: of the picture, not of the person.

It follows the light, the exposure and the white balance. Do not sort people into groups by it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from facegauge.arrays import Pixels
from facegauge.faces.spec import PreprocessSpec
from facegauge.results import Box, Face
from facegauge.schema import Column, Value

OUTWARD = 0.15  # shift of a cheek's patch away from the nose, in eye distances
HALF = 0.12  # half a side of the patch, in eye distances
MIN_EYES = 16  # px; a patch of a smaller face has fewer than 4 x 4 pixels

# linear sRGB to XYZ, IEC 61966-2-1
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175],
     [0.0193339, 0.119192, 0.9503041]]
)  # fmt: skip
WHITE = TO_XYZ.sum(1)  # D65
LINEAR = (6 / 29) ** 3  # below it CIELAB's cube root is a line

Array = npt.NDArray[np.float64]


class Skin:
    """Measures the median colour of a patch on each cheek, in CIELAB under D65.

    A patch lies halfway between an eye and the corner of the mouth below it, a little outwards.
    The individual typology angle is atan((L* - 50) / b*) (Chardon et al. 1991), the hue angle
    atan2(b*, a*), in degrees. Beards, glasses, shadows and make-up are measured too.
    """

    name = "skin"
    columns = (
        Column(
            "skin_lightness",
            "float",
            "Apparent lightness L* of the cheeks, 0 to 100; their mean.",
            "(0 to 100)",
        ),
        Column(
            "skin_hue",
            "float",
            "Hue angle of the cheeks' mean colour in degrees, from 0, red, to 90, yellow.",
            "degrees",
        ),
        Column(
            "skin_ita",
            "float",
            "Individual typology angle of the cheeks' mean colour in degrees, lower is darker. It "
            "is the picture's: light and exposure move it by tens of degrees.",
            "degrees",
        ),
        Column(
            "skin_ita_difference",
            "float",
            "Difference of the angle between the two cheeks in degrees, 0 or more.",
            "degrees",
        ),
    )

    def __init__(self, spec: PreprocessSpec) -> None:
        pass  # the factor does not depend on the network's input

    def measure(self, pixels: Pixels, face: Face | None, frame: Box) -> Mapping[str, Value]:
        """The colours; None without points, for small faces and for cheeks outside the picture."""
        if face is None or not face.points:
            return {}
        patches = cheeks(pixels, face)
        if patches is None:
            return {}
        left, right = (lab(np.median(patch.reshape(-1, 3), axis=0)) for patch in patches)
        mean = (left + right) / 2
        return {
            "skin_lightness": float(mean[0]),
            "skin_hue": math.degrees(math.atan2(mean[2], mean[1])),
            "skin_ita": ita(mean),
            "skin_ita_difference": abs(ita(left) - ita(right)),
        }


def cheeks(pixels: Pixels, face: Face) -> tuple[Pixels, Pixels] | None:
    """A square patch of each cheek, left and right as seen in the picture; None if one is outside.

    Args:
        pixels: (H, W, 3) uint8.
        face: with five points, in the picture's pixels.
    """
    points = np.array(face.points)
    eyes, mouth = points[:2], points[3:]
    across = eyes[1] - eyes[0]
    distance = float(np.hypot(*across))
    if distance < MIN_EYES:
        return None
    half = max(2, round(HALF * distance))
    patches = []
    for eye, corner, sign in zip(eyes, mouth, (-1, 1), strict=True):
        x, y = np.rint((eye + corner) / 2 + sign * OUTWARD * across).astype(int)
        top, left = y - half, x - half
        if min(top, left) < 0 or y + half > pixels.shape[0] or x + half > pixels.shape[1]:
            return None
        patches.append(pixels[top : y + half, left : x + half])
    return patches[0], patches[1]


def lab(colour: npt.ArrayLike) -> Array:
    """CIELAB under D65 of an sRGB colour (3,), 0..255."""
    encoded = np.asarray(colour, np.float64) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    ratio = TO_XYZ @ linear / WHITE
    root = np.where(ratio > LINEAR, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = root
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def ita(colour: Array) -> float:
    """The individual typology angle of a CIELAB colour, -90..90 degrees."""
    lightness, _, yellow = colour
    # b* is above 0 on skin; on blue patches the angle keeps the sign of L* - 50
    return math.degrees(math.atan2(lightness - 50, abs(yellow)))
