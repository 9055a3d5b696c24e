"""The blocks of DSL-FIQA's core network: channel attention, Swin stage, degradation decoder.

Source: arXiv 2406.09622. The first two are MANIQA's (arXiv 2204.08958). Tokens are maps,
(N, C, h, w), on the same grid throughout.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facegauge.errors import UsageError

RESIDUAL_SCALE = 0.13  # of a Swin layer; hard-coded in the reference, whose settings have 0.8
DROP_PATH = 0.1  # highest rate of stochastic depth
DECODER_DEPTH = 16  # blocks over which the reference spreads the decoder's rates; it uses three


class ChannelAttention(nn.Module):
    """Attention between channels: each channel is a vector over the tokens.

    Args:
        tokens: number of tokens, h * w.
        dropout: probability, of what is added.
        scrambled: reproduce a bug of the reference, for its weights alone: the result is transposed
            and then reshaped as if it were not, which mixes channels with tokens.
    """

    def __init__(self, tokens: int, dropout: float = 0.1, scrambled: bool = False) -> None:
        super().__init__()
        self.query = nn.Linear(tokens, tokens)
        self.key = nn.Linear(tokens, tokens)
        self.value = nn.Linear(tokens, tokens)
        self.dropout = nn.Dropout(dropout)
        self.scrambled = scrambled

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) to the same shape."""
        flat = x.flatten(2)
        mixed = F.scaled_dot_product_attention(self.query(flat), self.key(flat), self.value(flat))
        if self.scrambled:
            mixed = mixed.transpose(1, 2)
        added: Tensor = self.dropout(mixed.reshape(x.shape))
        return x + added


class SwinStage(nn.Module):
    """Two residual layers, each of two Swin blocks and a convolution, scaled by 0.13.

    The blocks are timm's. Where the window does not divide the grid, the border is replicated up
    to the next multiple and cropped again. That is our choice: with timm's own padding the first
    rows attend to the last ones.

    Args:
        width: channels.
        grid: (h, w) of the tokens.
        heads: of the attention.
        window: (h, w) of a window; every second block shifts its windows by half of it.
        mlp: hidden width of the MLPs.
        dropout: probability, of the input.
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
        self.padding = [-side % step for side, step in zip(grid, window, strict=True)]
        blocks = [
            SwinTransformerBlock(
                width,
                tuple(side + more for side, more in zip(grid, self.padding, strict=True)),
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
        """(N, C, h, w) to the same shape."""
        x = self.dropout(x)
        for layer, convolution in zip(self.layers, self.convolutions, strict=True):
            inner = layer(self._pad(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
            inner = inner[:, :, : self.grid[0], : self.grid[1]]
            x = x + RESIDUAL_SCALE * F.relu(convolution(inner))
        return x

    def _pad(self, x: Tensor) -> Tensor:
        below, right = self.padding
        return F.pad(x, (0, right, 0, below), mode="replicate") if below or right else x


def cell_of_token(cells: Sequence[int], grid: Sequence[int], stretch: str) -> Tensor:
    """The degradation cell that belongs to each token.

    Args:
        cells: (rows, columns) of the degradation cells.
        grid: (h, w) of the tokens.
        stretch: "grid" scales rows and columns, so that cells and tokens cover the same region.
            "nearest" scales the flattened list of cells, as the reference does; tokens then get
            cells of other columns.

    Returns:
        (h * w,) indices of cells, row by row.

    Raises:
        UsageError: `stretch` is neither.
    """
    (rows, columns), (height, width) = cells, grid
    if stretch == "nearest":
        return torch.arange(height * width) * (rows * columns) // (height * width)
    if stretch != "grid":
        raise UsageError(f"expected stretch to be grid or nearest, got {stretch!r}")
    row = torch.arange(height) * rows // height
    column = torch.arange(width) * columns // width
    return (row[:, None] * columns + column).flatten()


class DegradationBlock(nn.Module):
    """A decoder block: cross-attention with the degradation cells as queries, then a conv MLP.

    Keys and values are the picture's tokens, to which the result is added. Tokens with the same
    cell share its result, so each cell is one query.

    Args:
        width: channels of the tokens.
        cell_width: channels of a cell.
        heads: of the attention.
        cell_index: the cell of each token, (h * w,), see `cell_of_token`.
        number: place of the block in the decoder, from 0.
    """

    cell_index: Tensor

    def __init__(
        self, width: int, cell_width: int, *, heads: int, cell_index: Tensor, number: int
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
        self.register_buffer("cell_index", cell_index, persistent=False)
        for layer in (self.query, self.key_value, self.out, self.expand, self.shrink):
            nn.init.trunc_normal_(layer.weight, std=0.02)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor, cells: Tensor) -> Tensor:
        """(N, C, h, w) and (N, cells, cell_width) to (N, C, h, w)."""
        tokens = x.flatten(2).transpose(1, 2)
        tokens = tokens + self.drop_path(self._attend(self.norm(tokens), cells))
        hidden = self.expand(self.mlp_norm(tokens)).transpose(1, 2)
        hidden = hidden.reshape(x.shape[0], -1, *x.shape[2:])
        hidden = self.around(hidden).flatten(2).transpose(1, 2)
        out: Tensor = tokens + self.drop_path(self.shrink(F.gelu(hidden)))
        return out.transpose(1, 2).reshape(x.shape)

    def _attend(self, tokens: Tensor, cells: Tensor) -> Tensor:
        key, value = self.key_value(tokens).chunk(2, -1)
        query, key, value = (self._split(part) for part in (self.query(cells), key, value))
        attended = F.scaled_dot_product_attention(query, key, value)
        out: Tensor = self.out(attended.transpose(1, 2).flatten(2))
        return out[:, self.cell_index]

    def _split(self, x: Tensor) -> Tensor:
        """(N, T, C) to (N, heads, T, C / heads)."""
        split = x.view(x.shape[0], x.shape[1], self.heads, x.shape[2] // self.heads)
        return split.transpose(1, 2)
