"""Explains the scores of one picture: where the faces are, what is wrong, what moved each score."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from facegauge.errors import UsageError
from facegauge.explanation.explained import Explained
from facegauge.images.loading import open_picture
from facegauge.images.sources import check_source, named
from facegauge.outputs import replacing
from facegauge.scorer import Scorer

if TYPE_CHECKING:
    from facegauge.images.sources import Source

__all__ = ["Explanation", "explain"]


SUFFIXES = (".png", ".html", ".json")  # of the files that `Explanation.save` writes


class Explanation(Explained):
    """An explanation that can be shown and saved; see `Explained` for what it holds."""

    __slots__ = ()

    def lines(self) -> list[str]:
        """The explanation as text."""
        from facegauge.explanation.parts import text_lines

        return text_lines(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a file, which appears once it is complete; its suffix says which kind.

        Args:
            path: `.png`, a picture; `.html`, a page in one file; `.json`, `to_dict`.

        Raises:
            UsageError: another suffix, or the file cannot be written.
        """
        path = Path(path)
        content = _writer(path)(self)
        try:
            with replacing(path) as fresh:
                fresh.write_bytes(content)
        except OSError as error:
            raise UsageError(f"cannot write {path}: {error.strerror or error}") from error


def explain(source: Source, scorer: Scorer | None = None) -> Explanation:
    """Explain the scores of one picture.

    Args:
        source: a picture, or a pair (name, picture), see `Scorer`; of an open file the rest is
            read.
        scorer: scores it; the default scorer, `Scorer()`, if left out. Of its factors those of
            quality are measured, whether it has them or not.

    Returns:
        The explanation; without faces where the picture has none, see its `result`.

    Raises:
        PictureError: the picture cannot be opened.
        UsageError: something that is not one picture.
        ScorerError: the scorer is damaged.
    """
    check_source(source)
    scorer = scorer or Scorer()
    if "quality" not in [factor.name for factor in scorer.factors]:
        scorer = scorer.with_options(factors=[*scorer.factors, "quality"])
    name, picture = named(source)
    pixels = open_picture(picture, scorer.max_pixels)
    prepared = scorer.prepare((name, pixels))
    (result,) = scorer.score_prepared([prepared])
    faces = range(len(result.faces))
    maps = tuple(scorer.heat_map(prepared, face) if scorer.has_heat_map else None for face in faces)
    return Explanation(result, pixels, prepared.frames, maps, scorer.card)


def _writer(path: Path) -> Callable[[Explanation], bytes]:
    """What makes a file of this suffix."""
    suffix = path.suffix.lower()
    if suffix == ".json":
        return _as_json
    if suffix == ".png":
        from facegauge.explanation.drawing import as_png

        return as_png
    if suffix == ".html":
        from facegauge.explanation.page import as_html

        return as_html
    raise UsageError(f"expected a file that ends with .png, .html or .json, got {path.name}")


def _as_json(explanation: Explanation) -> bytes:
    return (json.dumps(explanation.to_dict(), indent=1, allow_nan=False) + "\n").encode()
