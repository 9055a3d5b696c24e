"""The networks of DSL-FIQA: the core network, and the whole with its degradation encoder.

Source: arXiv 2406.09622. A frozen degradation encoder describes the picture's degradation, cell by
cell. The core network turns the picture into tokens, attends to them with the cells as queries, and
ends in two heads: a quality and a confidence for every token. The score is the mean quality,
weighted by the confidence. Landmarks guide the confidence head.

Bugs of the reference that are not reproduced:
- its horizontal flip turns pictures upside down and leaves the landmarks as they are; see
  `faces.landmarks.mirror_landmarks`;
- labels are scaled by each split's own range; see `data.datasets`: one scale;
- the learning rate oscillates with a period of 100 steps; see `training.optimisers`;
- the batch norms of the frozen encoder are updated during the first epoch; see `DslFiqa.train`;
- crops of exactly the picture's size fail, and their positions differ from run to run; see
  `faces.framing.crop_frames`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from facegauge.errors import UsageError
from facegauge.nn.build import build
from facegauge.training.methods.dsl_fiqa.attention import (
    ChannelAttention,
    DegradationBlock,
    SwinStage,
    cell_of_token,
)
from facegauge.training.methods.dsl_fiqa.core_settings import CoreSettings
from facegauge.training.methods.dsl_fiqa.encoder import DegradationEncoder
from facegauge.training.methods.dsl_fiqa.heads import (
    Assessment,
    SteepSigmoid,
    apply_head,
    create_head,
    weighted_mean,
)
from facegauge.training.methods.dsl_fiqa.landmark_guide import LandmarkGuide
from facegauge.training.methods.dsl_fiqa.tokens import create_tokens

DECODER_BLOCKS = 3


class Core(nn.Module):
    """Tokens, two stages of channel attention and Swin blocks, a decoder and two heads.

    With the default settings it has 2.8 million parameters.

    Attributes:
        config: the settings as plain data.
        grid: (h, w) of the tokens and of all maps.

    Raises:
        UsageError: a name in the settings is unknown, or the backbone does not take the size.
    """

    cell_index: Tensor

    def __init__(self, settings: CoreSettings) -> None:
        super().__init__()
        its, self.config = settings, asdict(settings)
        self.tokens = create_tokens(its.backbone, its.size, its.tap_width, its.whole)
        self.grid, self.guides_both = self.tokens.grid, its.guides == "both"
        self.stages = _stages(self.tokens.channels, self.grid, its)
        cell_index = cell_of_token(its.cells, self.grid, its.stretch)
        self.register_buffer("cell_index", cell_index, persistent=False)
        self.cells_query = its.degradation == "query"
        self.join = (
            nn.Conv2d(its.decoder_width + its.cell_width, its.decoder_width, 1)
            if its.degradation == "concat"
            else None
        )
        self.decoder = nn.ModuleList(
            DegradationBlock(
                its.decoder_width,
                its.cell_width if self.cells_query else its.decoder_width,
                heads=its.decoder_heads,
                cell_index=cell_index if self.cells_query else torch.arange(len(cell_index)),
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
        self.quality = create_head(
            guided if self.guides_both else plain, nn.ReLU(), its.bias, its.dropout
        )
        self.confidence = create_head(guided, SteepSigmoid(its.confidence_gain), 0.0, its.dropout)
        if its.whole:
            self.unused = _unused(its)

    def assess(
        self, x: Tensor, cells: Tensor | None = None, landmarks: Tensor | None = None
    ) -> Assessment:
        """Score and maps.

        Args:
            x: (N, 3, H, W), normalised, of the size that the network was built for.
            cells: (N, rows * columns, cell_width), of the degradation encoder; None if
                `degradation` is "none".
            landmarks: (N, L) landmark vectors; None: zeros, which mean that they are unknown. Not
                read by a network without a landmark branch.
        """
        maps = self.stages(self.tokens(x))
        if self.join is not None:
            assert cells is not None
            at_tokens = cells[:, self.cell_index].transpose(1, 2)
            at_tokens = at_tokens.reshape(x.shape[0], -1, *self.grid)
            maps = self.join(torch.cat([maps, at_tokens], 1))
        for block in self.decoder:
            maps = block(maps, cells if self.cells_query else maps.flatten(2).transpose(1, 2))
        guided = maps
        if self.guide is not None:
            if landmarks is None:
                landmarks = x.new_zeros(x.shape[0], self.guide.count)
            guided = torch.cat([maps, self.guide(landmarks)], 1)
        quality = apply_head(self.quality, guided if self.guides_both else maps)
        confidence = apply_head(self.confidence, guided)
        return Assessment(weighted_mean(quality, confidence), quality, confidence)

    def forward(
        self, x: Tensor, cells: Tensor | None = None, landmarks: Tensor | None = None
    ) -> Tensor:
        """As `assess`, to scores (N,)."""
        return self.assess(x, cells, landmarks).score

    def load_pretrained(self, weights: str | Path) -> None:
        """Load the backbone's ImageNet weights.

        Args:
            weights: "imagenet", to let the backbone's library fetch them, or a .pth file in that
                library's layout.

        Raises:
            UsageError: the weights cannot be read, or are another network's.
        """
        self.tokens.load_pretrained(weights)


class DslFiqa(nn.Module):
    """DSL-FIQA on one crop: a frozen degradation encoder and the core network.

    Args:
        encoder: its weights are frozen, and it stays in evaluation mode; None for a core without
            degradation cells.
        core: the network that is trained.

    Attributes:
        uses_landmarks: whether scores depend on landmarks.
        landmark_size: length of the landmark vector.
        config: what `nn.build.build` makes the same network from.

    Raises:
        UsageError: the core needs an encoder, or other cells than the encoder's.
    """

    def __init__(self, encoder: DegradationEncoder | None, core: Core) -> None:
        super().__init__()
        if (encoder is None) != (core.config["degradation"] == "none"):
            raise UsageError(
                f"a core with degradation {core.config['degradation']!r} "
                f"{'needs an' if encoder is None else 'takes no'} encoder"
            )
        if encoder is not None:
            asked = [*core.config["cells"], core.config["cell_width"]]
            given = [*encoder.grid, encoder.width]
            if asked != given:
                raise UsageError(
                    "the core needs degradation cells of [rows, columns, channels] "
                    f"{asked}, the encoder has {given}"
                )
            encoder.requires_grad_(False)
        self.encoder, self.core = encoder, core
        self.uses_landmarks = core.guide is not None
        self.landmark_size = int(core.config["landmarks"])
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
        """Set the core's mode; the frozen encoder stays in evaluation mode, for its batch norms."""
        super().train(mode)
        if self.encoder is not None:
            self.encoder.eval()
        return self

    def assess(self, x: Tensor, landmarks: Tensor | None = None) -> Assessment:
        """Score and maps.

        Args:
            x: (N, 3, H, W), normalised.
            landmarks: (N, 10) from `faces.landmarks.landmark_vector`; None: unknown.
        """
        # the frozen encoder needs no graph, except where the gradient of the picture is wanted
        with torch.set_grad_enabled(torch.is_grad_enabled() and x.requires_grad):
            cells = None if self.encoder is None else self.encoder.cells(x)
        return self.core.assess(x, cells, landmarks)

    def outputs(self, x: Tensor, landmarks: Tensor | None = None) -> dict[str, Tensor]:
        """As `assess`, by name, with the heat map: what a scorer ships."""
        found = self.assess(x, landmarks)
        return {"score": found.score, "heat_map": found.heat_map, **found._asdict()}

    def forward(self, x: Tensor, landmarks: Tensor | None = None) -> Tensor:
        """As `assess`, to scores (N,)."""
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
    """Layers that the reference's code creates, beside the ViT's last ones, and never uses."""
    width, narrow = settings.width, settings.decoder_width
    downsampling = [nn.Conv2d(side, side, 3) for side in (width, width // 2)]
    mlp = [nn.Linear(narrow, narrow) for _ in range(2)]
    queries = [nn.Linear(narrow, 1, bias=False) for _ in range(DECODER_BLOCKS)]
    return nn.ModuleList([*downsampling, *mlp, *queries])
