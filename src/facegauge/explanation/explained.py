"""What is known of one picture's scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from facegauge.arrays import Pixels
from facegauge.attribution import Attribution
from facegauge.results import Box, HeatMap, ImageScore
from facegauge.zoo import Card


@dataclass(frozen=True, slots=True, eq=False)
class Explained:
    """What is known of one picture's scores.

    Attributes:
        result: the scores, with the factors of quality of each face.
        pixels: (H, W, 3) uint8 RGB, the upright picture.
        frames: what is scored of each face, in the picture's pixels.
        heat_maps: of each face; None where the scorer has none.
        card: of the scorer.
    """

    result: ImageScore
    pixels: Pixels
    frames: tuple[Box, ...]
    heat_maps: tuple[HeatMap | None, ...]
    card: Card

    @property
    def attribution(self) -> Attribution | None:
        """The scorer's additive model of the factors, if it explains enough to be shown."""
        model = self.card.attribution
        return model if model is not None and model.explains else None

    def shares(self, place: int) -> dict[str, float]:
        """What each factor added to the score of a face, largest first.

        Args:
            place: of the face, from 0.

        Returns:
            Scores by factor; empty without a model, and for a picture that is taken whole: the
            model is that of photos.
        """
        height, width = self.pixels.shape[:2]
        if self.attribution is None or self.frames[place] == Box(0, 0, width, height):
            return {}
        ratings = self.result.faces[place].ratings
        return self.attribution.shares({name: one.value for name, one in ratings.items()})

    def to_dict(self) -> dict[str, Any]:
        """`ImageScore.to_dict` with the scorer, and for each face its heat map and its shares.

        Returns:
            JSON types. `shares` has what each factor `added` to the `mean`, both `together`, and
            the additive model's `r2` and `n`; None without a model, or where it explains less than
            half.
        """
        found = self.result.to_dict()
        for place, entry in enumerate(found["faces"]):
            heat_map = self.heat_maps[place]
            entry["problems"] = list(self.result.faces[place].problems)
            entry["heat_map"] = heat_map.to_dict() if heat_map else None
            entry["shares"] = self._shares(place)
        card = self.card
        scorer = {"name": card.name, "version": card.version, "sha256": card.sha256}
        return {"scorer": scorer, **found}

    def _shares(self, place: int) -> dict[str, Any] | None:
        added = {name: round(share, 6) for name, share in self.shares(place).items()}
        if not added or (model := self.attribution) is None:
            return None
        together = round(model.mean + sum(added.values()), 6)
        return {
            "added": added,
            "mean": model.mean,
            "together": together,
            "r2": model.r2,
            "n": model.n,
        }
