"""What to do with something that does not open as a picture: the end of a message, or nothing."""

from __future__ import annotations

import os
import re
from typing import Any

import numpy as np
import numpy.typing as npt

URL = re.compile(r"(?:[a-z][a-z0-9+.-]+://|data:)", re.IGNORECASE)


def for_path(source: str | os.PathLike[str]) -> str:
    """What to do with a path that leads to no file: a URL, a pattern, a home folder."""
    path = os.fsdecode(source)
    if scheme := URL.match(path):
        if scheme[0].lower() == "file://":
            return ": give the path without file://"
        if scheme[0].lower() == "data:":
            return ": decode the data URL and give its bytes"
        return ": URLs are not fetched; download the picture and give its path or bytes"
    if path.startswith("~"):
        return ": ~ is not expanded; in Python use Path.expanduser"
    if re.search(r"[*?]", path):
        return ": patterns are not expanded; in Python use Path.glob"
    return ""


def for_shape(shape: tuple[int, ...]) -> str:
    """What to do with an array of a shape that is not read."""
    if len(shape) == 3 and shape[0] in (1, 3, 4) and 0 not in shape:
        return "; where channels are first, use array.transpose(1, 2, 0)"
    return ""


def for_range(low: float, high: float) -> str:
    """What to do with floats from low to high."""
    if low >= 0 and 1 < high <= 255:
        return "; where they are 0..255, divide by 255"
    if -1 <= low < 0 and high <= 1:
        return "; where they are -1..1, use array / 2 + 0.5"
    return ""


def for_type(array: npt.NDArray[Any]) -> str:
    """What to do with an array of another type."""
    if array.dtype.kind == "b":
        return "; use array * np.uint8(255)"
    if array.dtype.kind in "iu" and array.size and array.min() >= 0 and array.max() <= 255:
        return "; as its values are 0..255, use array.astype(np.uint8)"
    return ""


def is_text(file: object) -> bool:
    """Whether this is a file that was opened as text."""
    return hasattr(file, "read") and hasattr(file, "encoding") and not isinstance(file, np.ndarray)
