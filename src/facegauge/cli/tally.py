"""What a run of `facegauge score` comes to."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from facegauge.cli.terminal import with_noun

if TYPE_CHECKING:
    from facegauge.results import ImageScore


@dataclass
class Tally:
    """Counts and scores for the last line.

    Args:
        least: pictures whose best face scores less are counted as below.
    """

    least: float | None = None
    pictures: int = 0
    faces: int = 0
    faceless: int = 0
    failed: int = 0
    below: int = 0
    scores: array[float] = field(default_factory=lambda: array("d"))
    bands: Counter[str] = field(default_factory=Counter)

    def add(self, result: ImageScore) -> None:
        self.pictures += 1
        self.faces += len(result.faces)
        self.scores.extend(face.score for face in result.faces)
        self.bands.update(face.band for face in result.faces)
        if self.least is not None and (result.score or 0.0) < self.least:
            self.below += 1
        if result.status in ("no_face", "too_small"):
            self.faceless += 1
        elif result.status != "ok":
            self.failed += 1

    def summary(self, left: int = 0, *, resumed: bool = False) -> str:
        """The last line; `left` pictures of the whole table have failed."""
        if resumed and not self.pictures:
            still = f", of which {left} failed" if left else ""
            return f"nothing left to do: the table holds every picture{still}"
        pictures, faces = with_noun(self.pictures, "picture"), with_noun(self.faces, "face")
        earlier = left - self.failed
        return (
            f"{pictures}{' more' if resumed else ''}, {faces}, "
            f"{self.faceless} without a face, {self.failed} failed"
            + (f"; {earlier} of earlier runs failed" if resumed and earlier > 0 else "")
        )

    def whole(self) -> str:
        """The mean score of all faces of this run, and how many are in each band."""
        from facegauge.calibration import BANDS
        from facegauge.evaluation.intervals import mean_interval

        if not self.scores:
            return ""
        mean = mean_interval(self.scores)
        low, high = max(0.0, mean.low), min(1.0, mean.high)
        ends = f" ({low:.3f} to {high:.3f})" if mean.low == mean.low else ""
        counts = ", ".join(f"{self.bands[word]} {word}" for word in BANDS if self.bands[word])
        return f"; mean score {mean.value:.3f}{ends}; {counts}"

    def gate(self) -> str:
        """How many pictures are below what `--min-score` asks for."""
        return f"{self.below} of {with_noun(self.pictures, 'picture')} below {self.least:g}"
