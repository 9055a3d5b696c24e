"""The default scorer, opened once, and the function `score` that uses it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, overload

from facegauge.image_scores import ImageScores
from facegauge.images.discovery import find_pictures, is_folder
from facegauge.images.sources import check_sources, is_pair, is_picture
from facegauge.results import ImageScore
from facegauge.scorer import Scorer

if TYPE_CHECKING:
    from facegauge.images.sources import Picture, Source


@overload
def score(source: Picture) -> ImageScore: ...  # type: ignore[overload-overlap]  # text iterates
@overload
def score(source: Iterable[Source]) -> ImageScores: ...
def score(source: Any) -> ImageScore | ImageScores:
    """Score one picture, or several of them, with the default scorer.

    Args:
        source: a path, the bytes of a picture file, an open binary file, a PIL image, an array
            (H, W, 3) of uint8, uint16 or floats in 0..1, or a torch tensor (3, H, W) or (H, W, 3)
            of uint8 or floats in 0..1; or any iterable of such: a list, a generator, `Path.glob`,
            a column of pandas or polars, an array or a tensor of four dimensions. A pair (name,
            picture) gives the picture its name; but a tuple of two paths is two pictures. The path
            of a folder stands for the pictures in it and its subfolders, in a list too.

    Returns:
        An `ImageScore`; of several pictures or a folder `ImageScores`, a list of them in order.

    Raises:
        ArgumentTypeError: neither a picture nor an iterable of them; a `TypeError`.
    """
    if is_folder(source):
        return ImageScores(default_scorer().score_iter(find_pictures([source])))
    single = is_picture(source)
    if is_pair(source) and not isinstance(source[1], str | os.PathLike):
        single = is_picture(source[1])
    if isinstance(source, Iterable) and not single:
        check_sources(source)
        return ImageScores(default_scorer().score_iter(_walked(source)))
    return default_scorer().score(source)


def _walked(sources: Iterable[Source]) -> Iterator[Source]:
    """The sources, with the pictures of a folder in its place."""
    for source in sources:
        if is_folder(source):
            yield from find_pictures([source])
        else:
            yield source


@cache
def default_scorer() -> Scorer:
    """The default scorer, opened at the first call."""
    return Scorer()
