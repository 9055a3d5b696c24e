"""Sizes and variants of DSL-FIQA's core network: ours, the paper's, and its code's.

Source: arXiv 2406.09622 and its public code. The defaults are ours, for two CPU cores. Also ours: a
landmark branch with a hidden width of 64 instead of 10,500; landmarks that guide the confidence
only, as in the paper's figure (in its code, both heads); and cells that are scaled to the tokens by
rows and columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from facegauge.errors import UsageError
from facegauge.training.methods.dsl_fiqa.tokens import VIT

DEGRADATIONS = ("query", "concat", "none")


@dataclass(frozen=True, slots=True)
class CoreSettings:
    """Sizes and variants of the core network; the defaults are ours, for two CPU cores.

    Run folders and scorers keep these fields under these names.

    Attributes:
        backbone: "vit_base_patch16_384" (timm) or a key of `backbones.TAPS`.
        size: (height, width) of the input, in pixels.
        tap_width: channels of each tap, for backbones other than the ViT.
        width: channels of the first Swin stage; the second has half of them.
        heads: of both Swin stages.
        window: (h, w) of the Swin windows, in tokens; preferably a divisor of the grid.
        mlp: hidden width of the Swin blocks.
        decoder_width, decoder_heads: channels and heads of the decoder.
        degradation: how the degradation cells are used: "query", as queries to the tokens, as in
            the paper; "concat", concatenated with the tokens, which then attend to each other; or
            "none". The last two are for ablation; their form is our choice.
        cells: (rows, columns) of the degradation cells.
        cell_width: channels of a cell.
        stretch: "grid" or "nearest", see `attention.cell_of_token`.
        landmarks: length of the landmark vector; 0: no landmark branch.
        frequencies: of the landmarks' positional encoding.
        landmark_width: hidden width of the landmark branch.
        guides: which heads the landmarks guide: "confidence", or "both".
        confidence_gain: factor on the confidence head's value before its sigmoid; above 1 the head
            learns that much faster than the rest. Ours.
        scrambled: see `attention.ChannelAttention`.
        whole: keep the layers that the reference creates and never uses, for its parameter count.
        dropout: probability, throughout the core.
        bias: the score at initialisation, such as the mean label.
    """

    backbone: str = "mobilenet_v2"
    size: Sequence[int] = (218, 178)
    tap_width: int = 48
    width: int = 80
    heads: int = 4
    window: Sequence[int] = (7, 4)
    mlp: int = 128
    decoder_width: int = 64
    decoder_heads: int = 4
    degradation: str = "query"
    cells: Sequence[int] = (6, 5)
    cell_width: int = 64
    stretch: str = "grid"
    landmarks: int = 10
    frequencies: int = 4
    landmark_width: int = 64
    guides: str = "confidence"
    confidence_gain: float = 1.0
    scrambled: bool = False
    whole: bool = False
    dropout: float = 0.1
    bias: float = 0.36

    def __post_init__(self) -> None:
        if self.guides not in ("confidence", "both"):
            raise UsageError(f"expected guides to be confidence or both, got {self.guides!r}")
        if self.degradation not in DEGRADATIONS:
            raise UsageError(
                f"expected degradation to be {' or '.join(DEGRADATIONS)}, got {self.degradation!r}"
            )


PAPER = CoreSettings(
    backbone=VIT,
    size=(384, 384),
    width=768,
    window=(4, 4),
    mlp=768,
    decoder_width=256,
    decoder_heads=8,
    cells=(8, 12),
    cell_width=256,
    stretch="nearest",
    landmarks=500,
    frequencies=10,
)
"""The reference's sizes with our landmark branch: 114,094,373 parameters."""

CODED = replace(PAPER, landmark_width=10_500, guides="both", whole=True)
"""The reference as coded: 251,409,764 parameters; no score depends on 21,715,304 of them."""
