"""The default scorer, opened once, and the function `score` that uses it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any, overload

from facegauge.images.sources import is_pair, is_picture
from facegauge.results import ImageScore
from facegauge.scorer import Scorer

if TYPE_CHECKING:
    from facegauge.images.sources import Picture, Source


@overload
def score(source: Picture) -> ImageScore: ...  # type: ignore[overload-overlap]  # text iterates
@overload
def score(source: Iterable[Source]) -> list[ImageScore]: ...
def score(source: Any) -> ImageScore | list[ImageScore]:
    """Score one picture, or several of them, with the default scorer.

    Args:
        source: a path, the bytes of a picture file, an open binary file, a PIL image, an array
            (H, W, 3) of uint8, uint16 or floats in 0..1, or a torch tensor (3, H, W) or (H, W, 3)
            of uint8 or floats in 0..1; or any iterable of such: a list, a generator, `Path.glob`,
            a pandas Series, an array or a tensor of four dimensions. A pair (name, picture) gives
            the picture its name; but a tuple of two paths is two pictures. Paths of folders are
            not walked.

    Returns:
        An `ImageScore`; of several pictures a list of them in the same order.

    Raises:
        UsageError: neither a picture nor an iterable.
    """
    single = is_picture(source)
    if is_pair(source) and not isinstance(source[1], str | os.PathLike):
        single = is_picture(source[1])
    if isinstance(source, Iterable) and not single:
        return list(default_scorer().score_iter(source))
    return default_scorer().score(source)


@cache
def default_scorer() -> Scorer:
    """The default scorer, opened at the first call."""
    return Scorer()
