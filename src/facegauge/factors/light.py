"""Exposure, contrast and colour cast of a face, from the colours of a `View`."""

from __future__ import annotations

import numpy as np

from facegauge.arrays import FloatArray

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as in JPEG
CLIPPED = 235  # grey levels of luma from which on skin is washed out
HIGHLIGHT = 98  # percentile of the frame's luma that is its highlights
MIDDLE = 0.55  # of the highlights: where the middle of a face may be
RIGHT = 0.5  # 0..1, middle of a well exposed face
TONES = (5, 95)  # percentiles of the face's luma
GAMMA, DARKEST = 2.2, 0.002
NORM = 6  # of Shades of Grey
# log2 of red over blue of faces and frames without a cast: medians of 48 portraits
FACE_WARMTH, FACE_BRIGHT_WARMTH, FRAME_WARMTH = 0.98, 0.55, 0.34
COLOURLESS = 6  # grey levels between the channels of a face; grey pictures have less


def exposure(face: FloatArray, frame: FloatArray) -> float:
    """-1 (black) to 1 (all of the face washed out); 0 is right.

    A face is dark where neither its middle tone nor the frame's highlights are bright: by the
    highlights, dark skin in good light is not taken for a dark picture.

    Args:
        face, frame: (n, 3), (m, 3) colours, 0..255.
    """
    luma = face @ LUMA
    highlights = float(np.percentile(frame @ LUMA, HIGHLIGHT)) / 255
    level = max(MIDDLE * highlights, float(np.median(luma)) / 255)
    return float((luma >= CLIPPED).mean()) - max(0.0, 1 - level / RIGHT)


def contrast(face: FloatArray) -> float:
    """Michelson contrast of the light and dark tones of a face, 0..1; not changed by exposure.

    Args:
        face: (n, 3) colours, 0..255.
    """
    dark, light = (float(tone) for tone in np.percentile(face @ LUMA, TONES))
    return (light - dark) / (light + dark + 5)


def colour_cast(face: FloatArray, frame: FloatArray) -> float | None:
    """Stops by which red is too strong beside blue: above 0 warm, below 0 cold.

    The mean of three estimates, each relative to what is usual: the mean of the face, and Shades of
    Grey (Finlayson and Trezzi 2004, norm 6) of face and frame. None for a face without colours.

    Args:
        face, frame: (n, 3), (m, 3) colours, 0..255.
    """
    if float(np.percentile(np.ptp(face, 1), 90)) < COLOURLESS:
        return None
    warmth = (
        _warmth(face, 1) - FACE_WARMTH,
        _warmth(face, NORM) - FACE_BRIGHT_WARMTH,
        _warmth(frame, NORM) - FRAME_WARMTH,
    )
    return sum(warmth) / (2 * len(warmth))


def _warmth(colours: FloatArray, norm: int) -> float:
    """Binary logarithm of red over blue in linear light, of a mean of this norm."""
    light = np.power(colours / 255, GAMMA) + DARKEST
    red, _, blue = np.power(light, norm).mean(0)
    return float(np.log2(red / blue)) / norm
