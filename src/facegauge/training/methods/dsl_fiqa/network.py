"""DSL-FIQA (arXiv 2406.09622): a score from a face, its degradation cells and its landmarks.

A frozen degradation encoder says how the picture is degraded, cell by cell. The core network
turns the picture into tokens, lets the cells ask them, and ends in two heads: a quality and a
confidence for every token. The score is the mean quality, weighted by confidence. Landmarks tell
the confidence head where the face is.

`PAPER` has the sizes of the released code; the defaults are ours, for two cores. Ours too: a
landmark branch of hidden width 64 in place of 10,500, landmarks that guide the confidence alone
(the paper's figure; its code lets them into both heads), and cells stretched by rows and columns.
Bugs of the reference that are not reproduced: its mirroring turns pictures upside down and leaves
the landmarks (see `landmarks.mirror_landmarks`); labels are scaled by each split's own range (see
`datasets`: one scale); the learning rate swings every 100 steps (see `fit.rate`); the frozen
encoder's batch norms move during the first epoch (see `DslFiqa.train`); crops of exactly the
picture's size fail, and positions change from run to run (see `faces.framing.crop_frames`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from facegauge.errors import UsageError
from facegauge.nn.build import build
from facegauge.training.methods.dsl_fiqa.assessment import (
    Assessment,
    SteepSigmoid,
    head,
    placed,
    weighted,
)
from facegauge.training.methods.dsl_fiqa.attention import (
    ChannelAttention,
    DegradationBlock,
    SwinStage,
    stretched,
)
from facegauge.training.methods.dsl_fiqa.encoder import DegradationEncoder
from facegauge.training.methods.dsl_fiqa.guide import LandmarkGuide
from facegauge.training.methods.dsl_fiqa.tokens import VIT, make_tokens

DECODER_BLOCKS = 3
DEGRADATIONS = ("query", "concat", "none")


@dataclass(frozen=True, slots=True)
class CoreSettings:
    """Sizes and choices of the core network; the defaults are ours, for two cores.

    Attributes:
        backbone: "vit_base_patch16_384" (timm) or a key of `backbones.TAPS`.
        size: (height, width) of the pictures.
        tap_width: channels of each tap, for backbones other than the ViT.
        width: channels of the first Swin stage; the second has half.
        heads: of both Swin stages.
        window: (h, w) of the Swin windows; best if it divides the grid.
        mlp: hidden width of the Swin blocks.
        decoder_width, decoder_heads: of the decoder.
        degradation: what becomes of the degradation cells: "query", they ask the tokens, as in the
            paper; "concat", they lie beside the tokens, which ask each other; "none", they are not
            looked at. The last two are for comparison; their form is our choice.
        cells: (rows, columns) of the degradation cells; `cell_width`: channels of each.
        stretch: "grid" or "nearest", see `attention.stretched`.
        landmarks: how many numbers say where the landmarks are; 0: no landmark branch.
        frequencies: of their positional encoding.
        landmark_width: hidden width of the landmark branch.
        guides: "confidence" or "both": the heads that see the landmarks.
        confidence_gain: what the confidence head's value is multiplied by before its sigmoid; above
            1 the head learns that much faster than the rest. Ours.
        scrambled: see `attention.ChannelAttention`.
        whole: keep what the reference creates and never uses, to meet its count.
        bias: the score that training starts from; the mean label, say.
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
            raise UsageError(f"guides must be confidence or both, got {self.guides!r}")
        if self.degradation not in DEGRADATIONS:
            known = ", ".join(DEGRADATIONS)
            raise UsageError(f"degradation must be one of {known}, got {self.degradation!r}")


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
"""The reference as coded: 251,409,764 parameters, 21,715,304 of which no score depends on."""


class Core(nn.Module):
    """Tokens, two stages of channel attention and Swin blocks, a decoder and two heads.

    With the default settings it has 2.8 million parameters.

    Raises:
        UsageError: a name in the settings is unknown, or the backbone does not take the size.
    """

    which: Tensor

    def __init__(self, settings: CoreSettings) -> None:
        super().__init__()
        its, self.config = settings, asdict(settings)
        self.tokens = make_tokens(its.backbone, its.size, its.tap_width, its.whole)
        self.grid, self.both = self.tokens.grid, its.guides == "both"
        self.stages = _stages(self.tokens.channels, self.grid, its)
        which = stretched(its.cells, self.grid, its.stretch)
        self.register_buffer("which", which, persistent=False)
        self.cells_ask = its.degradation == "query"
        self.join = (
            nn.Conv2d(its.decoder_width + its.cell_width, its.decoder_width, 1)
            if its.degradation == "concat"
            else None
        )
        self.decoder = nn.ModuleList(
            DegradationBlock(
                its.decoder_width,
                its.cell_width if self.cells_ask else its.decoder_width,
                heads=its.decoder_heads,
                which=which if self.cells_ask else torch.arange(len(which)),
                number=number,
            )
            for number in range(DECODER_BLOCKS)
        )
        self.guide = (
            LandmarkGuide(
                self.grid, its.landmarks, its.frequencies, its.landmark_width, dropout=its.dropout
            )
            if its.landmarks
            else None
        )
        plain = its.decoder_width
        guided = plain + 1 if self.guide else plain
        self.quality = head(guided if self.both else plain, nn.ReLU(), its.bias, its.dropout)
        self.confidence = head(guided, SteepSigmoid(its.confidence_gain), 0.0, its.dropout)
        if its.whole:
            self.unused = _unused(its)

    def assess(
        self, x: Tensor, cells: Tensor | None = None, landmarks: Tensor | None = None
    ) -> Assessment:
        """Score and maps.

        Args:
            x: (N, 3, H, W), normalised, of the size that the network was built for.
            cells: (N, rows * columns, cell_width), from the degradation encoder; None where
                `degradation` is "none".
            landmarks: (N, L) from `facegauge.data.landmarks`; None: zeros, where no detected
                face lies. Not looked at when the network has no landmark branch.
        """
        maps = self.stages(self.tokens(x))
        if self.join is not None:
            assert cells is not None
            beside = cells[:, self.which].transpose(1, 2).reshape(x.shape[0], -1, *self.grid)
            maps = self.join(torch.cat([maps, beside], 1))
        for block in self.decoder:
            maps = block(maps, cells if self.cells_ask else maps.flatten(2).transpose(1, 2))
        guided = maps
        if self.guide is not None:
            if landmarks is None:
                landmarks = x.new_zeros(x.shape[0], self.guide.count)
            guided = torch.cat([maps, self.guide(landmarks)], 1)
        quality = placed(self.quality, guided if self.both else maps)
        confidence = placed(self.confidence, guided)
        return Assessment(weighted(quality, confidence), quality, confidence)

    def forward(
        self, x: Tensor, cells: Tensor | None = None, landmarks: Tensor | None = None
    ) -> Tensor:
        """As `assess`, to scores (N,)."""
        return self.assess(x, cells, landmarks).score

    def load_pretrained(self, weights: str | Path) -> None:
        """Load the backbone's ImageNet weights: "imagenet", or a .pth file in its library's layout.

        Raises:
            UsageError: they cannot be had.
        """
        self.tokens.load_pretrained(weights)


class DslFiqa(nn.Module):
    """The whole system on one crop: a frozen degradation encoder and the core network.

    Args:
        encoder: never trained here, and always in eval mode; None for a core without degradation.
        core: the network that is trained; its cells are the encoder's.

    Attributes:
        uses_landmarks: whether scores depend on landmarks.

    Raises:
        UsageError: the encoder's cells are not those that the core was built for.
    """

    def __init__(self, encoder: DegradationEncoder | None, core: Core) -> None:
        super().__init__()
        if (encoder is None) != (core.config["degradation"] == "none"):
            raise UsageError(
                f"a core with degradation {core.config['degradation']!r} "
                f"{'needs an' if encoder is None else 'has no use for an'} encoder"
            )
        if encoder is not None:
            asked = [*core.config["cells"], core.config["cell_width"]]
            given = [*encoder.grid, encoder.width]
            if asked != given:
                raise UsageError(
                    "the core needs degradation cells of rows, columns and channels "
                    f"{asked}, the encoder gives {given}"
                )
            encoder.requires_grad_(False)
        self.encoder, self.core = encoder, core
        self.uses_landmarks = core.guide is not None
        described = None if encoder is None else encoder.config
        self.config = {"kind": "dsl_fiqa", "encoder": described, "core": core.config}
        self.train(self.training)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> DslFiqa:
        """From the `config` attribute of such a network, without its kind; random weights."""
        encoder = build(config["encoder"]) if config["encoder"] else None
        assert encoder is None or isinstance(encoder, DegradationEncoder)
        return cls(encoder, Core(CoreSettings(**config["core"])))

    def train(self, mode: bool = True) -> DslFiqa:
        """The core's mode; the encoder stays in eval, so that its batch norms do not move."""
        super().train(mode)
        if self.encoder is not None:
            self.encoder.eval()
        return self

    def assess(self, x: Tensor, landmarks: Tensor | None = None) -> Assessment:
        """Score and maps of normalised pictures (N, 3, H, W); see `Core.assess`."""
        with torch.no_grad():
            cells = None if self.encoder is None else self.encoder.cells(x)
        return self.core.assess(x, cells, landmarks)

    def outputs(self, x: Tensor, landmarks: Tensor | None = None) -> dict[str, Tensor]:
        """As `assess`, by name, with the heat map: what a scorer ships."""
        found = self.assess(x, landmarks)
        return {"score": found.score, "heat_map": found.heat_map, **found._asdict()}

    def forward(self, x: Tensor, landmarks: Tensor | None = None) -> Tensor:
        """(N, 3, H, W), normalised, to scores (N,)."""
        return self.assess(x, landmarks).score


def _stages(channels: int, grid: Sequence[int], settings: CoreSettings) -> nn.Sequential:
    """Tokens (N, channels, h, w) to (N, decoder_width, h, w)."""
    its, places = settings, grid[0] * grid[1]
    layers: list[nn.Module] = []
    for width in (its.width, its.width // 2):
        layers += [ChannelAttention(places, its.dropout, its.scrambled) for _ in range(2)]
        layers.append(nn.Conv2d(channels, width, 1))
        layers.append(
            SwinStage(
                width,
                grid,
                heads=its.heads,
                window=its.window,
                mlp=its.mlp,
                dropout=its.dropout,
            )
        )
        channels = width
    return nn.Sequential(*layers, nn.Conv2d(channels, its.decoder_width, 1))


def _unused(settings: CoreSettings) -> nn.ModuleList:
    """What the reference's code creates beside the ViT's tail and no score depends on."""
    width, narrow = settings.width, settings.decoder_width
    downsampling = [nn.Conv2d(side, side, 3) for side in (width, width // 2)]
    mlp = [nn.Linear(narrow, narrow) for _ in range(2)]
    queries = [nn.Linear(narrow, 1, bias=False) for _ in range(DECODER_BLOCKS)]
    return nn.ModuleList([*downsampling, *mlp, *queries])
