"""The blocks of DSL-FIQA's core network (arXiv 2406.09622): channel attention, Swin, decoder.

The first two are MANIQA's. Tokens are maps, (N, C, h, w), on one grid from end to end.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facegauge.errors import UsageError

GAIN = 0.13  # of what a Swin layer adds; the reference's settings say 0.8, its code takes this
DROP_PATH = 0.1  # highest rate of the stochastic depth
DECODER_DEPTH = 16  # blocks that the decoder's rates are spread over in the code, which uses three


class ChannelAttention(nn.Module):
    """Attention between channels: each channel is a vector over the places.

    Args:
        places: tokens of the grid.
        scrambled: transpose the result and reshape it as if nothing had been transposed, which
            mixes channels with places, as the reference does; only for its weights.
    """

    def __init__(self, places: int, dropout: float = 0.1, scrambled: bool = False) -> None:
        super().__init__()
        self.query = nn.Linear(places, places)
        self.key = nn.Linear(places, places)
        self.value = nn.Linear(places, places)
        self.dropout = nn.Dropout(dropout)
        self.scrambled = scrambled

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) to the same."""
        flat = x.flatten(2)
        mixed = F.scaled_dot_product_attention(self.query(flat), self.key(flat), self.value(flat))
        if self.scrambled:
            mixed = mixed.transpose(1, 2)
        added: Tensor = self.dropout(mixed.reshape(x.shape))
        return x + added


class SwinStage(nn.Module):
    """Two layers of two Swin blocks each; a layer ends in a convolution and adds 0.13 of itself.

    The blocks are timm's. Where the window does not divide the grid, the border is repeated up to
    the next multiple and cut off again (our choice: timm's own padding would let the first rows
    attend to the last ones).

    Args:
        width: channels.
        grid: (h, w).
        window: (h, w) of a window; every second block moves its windows by half of it.
        mlp: hidden width.
    """

    def __init__(
        self,
        width: int,
        grid: Sequence[int],
        *,
        heads: int,
        window: Sequence[int],
        mlp: int,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        from timm.models.swin_transformer import SwinTransformerBlock

        self.grid = tuple(grid)
        self.spare = [-side % step for side, step in zip(grid, window, strict=True)]
        blocks = [
            SwinTransformerBlock(
                width,
                tuple(side + more for side, more in zip(grid, self.spare, strict=True)),
                heads,
                window_size=tuple(window),
                shift_size=tuple(side // 2 for side in window) if number % 2 else 0,
                mlp_ratio=mlp / width,
                drop_path=DROP_PATH * number / 3,
            )
            for number in range(4)
        ]
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(nn.Sequential(*blocks[k : k + 2]) for k in (0, 2))
        self.convolutions = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) to the same."""
        x = self.dropout(x)
        for layer, convolution in zip(self.layers, self.convolutions, strict=True):
            seen = layer(self._filled(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
            seen = seen[:, :, : self.grid[0], : self.grid[1]]
            x = x + GAIN * F.relu(convolution(seen))
        return x

    def _filled(self, x: Tensor) -> Tensor:
        below, right = self.spare
        return F.pad(x, (0, right, 0, below), mode="replicate") if below or right else x


def stretched(cells: Sequence[int], grid: Sequence[int], how: str) -> Tensor:
    """Which degradation cell every token gets.

    Args:
        cells: (rows, columns) of the degradation cells.
        grid: (h, w) of the tokens.
        how: "nearest" stretches the list of cells to the list of tokens, as the reference does;
            tokens then get cells of other columns. "grid" stretches rows and columns.

    Returns:
        (h * w,) numbers of cells, row by row.

    Raises:
        UsageError: `how` is neither.
    """
    (rows, columns), (height, width) = cells, grid
    if how == "nearest":
        return torch.arange(height * width) * (rows * columns) // (height * width)
    if how != "grid":
        raise UsageError(f"stretch must be nearest or grid, got {how!r}")
    row = torch.arange(height) * rows // height
    column = torch.arange(width) * columns // width
    return (row[:, None] * columns + column).flatten()


class DegradationBlock(nn.Module):
    """A decoder block: the degradation cells ask, the picture's tokens answer and are added to.

    Tokens that share a cell share its answer, so each cell asks once.

    Args:
        width: channels of the tokens.
        cell_width: channels of a cell.
        which: the cell of every token, from `stretched`.
        number: place of the block in the decoder, from 0.
    """

    which: Tensor

    def __init__(
        self, width: int, cell_width: int, *, heads: int, which: Tensor, number: int
    ) -> None:
        super().__init__()
        from timm.layers import DropPath

        self.heads = heads
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.query = nn.Linear(cell_width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)
        self.mlp_norm = nn.LayerNorm(width, eps=1e-6)
        self.expand = nn.Linear(width, 4 * width)
        self.around = nn.Conv2d(4 * width, 4 * width, 3, padding=1, groups=4 * width)
        self.shrink = nn.Linear(4 * width, width)
        self.drop_path = DropPath(DROP_PATH * number / (DECODER_DEPTH - 1))
        self.register_buffer("which", which, persistent=False)
        for layer in (self.query, self.key_value, self.out, self.expand, self.shrink):
            nn.init.trunc_normal_(layer.weight, std=0.02)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor, cells: Tensor) -> Tensor:
        """(N, C, h, w) and (N, cells, cell_width) to (N, C, h, w)."""
        tokens = x.flatten(2).transpose(1, 2)
        tokens = tokens + self.drop_path(self._answer(self.norm(tokens), cells))
        hidden = self.expand(self.mlp_norm(tokens)).transpose(1, 2)
        hidden = hidden.reshape(x.shape[0], -1, *x.shape[2:])
        hidden = self.around(hidden).flatten(2).transpose(1, 2)
        out: Tensor = tokens + self.drop_path(self.shrink(F.gelu(hidden)))
        return out.transpose(1, 2).reshape(x.shape)

    def _answer(self, tokens: Tensor, cells: Tensor) -> Tensor:
        key, value = self.key_value(tokens).chunk(2, -1)
        query, key, value = (self._split(part) for part in (self.query(cells), key, value))
        answer = F.scaled_dot_product_attention(query, key, value)
        out: Tensor = self.out(answer.transpose(1, 2).flatten(2))
        return out[:, self.which]

    def _split(self, x: Tensor) -> Tensor:
        """(N, T, C) to (N, heads, T, C / heads)."""
        split = x.view(x.shape[0], x.shape[1], self.heads, x.shape[2] // self.heads)
        return split.transpose(1, 2)
