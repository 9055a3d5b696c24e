"""The core network's blocks against loops that know nothing of their code."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from facegauge.errors import UsageError
from facegauge.training.methods.dsl_fiqa.attention import (
    ChannelAttention,
    DegradationBlock,
    SwinStage,
    cell_of_token,
)


def softmax(values: list[float]) -> list[float]:
    top = max(values)
    powers = [math.exp(value - top) for value in values]
    return [power / sum(powers) for power in powers]


def dot(a: torch.Tensor, b: torch.Tensor) -> float:
    return sum(x * y for x, y in zip(a.tolist(), b.tolist(), strict=True))


def randomised(module: torch.nn.Module, std: float = 0.4) -> torch.nn.Module:
    torch.manual_seed(1)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=std)
    return module.double().eval()


@pytest.mark.parametrize("scrambled", [False, True])
@torch.no_grad()
def test_channel_attention_is_the_slow_loop(scrambled: bool) -> None:
    channels, h, w = 5, 2, 3
    block = randomised(ChannelAttention(h * w, scrambled=scrambled))
    x = torch.randn(2, channels, h, w, dtype=torch.float64)
    for sample, got in zip(x, block(x), strict=True):
        flat = sample.flatten(1)
        query, key, value = (f(flat) for f in (block.query, block.key, block.value))
        mixed = torch.zeros_like(flat)
        for i in range(channels):
            weights = softmax([dot(query[i], key[j]) / math.sqrt(h * w) for j in range(channels)])
            mixed[i] = sum(weight * value[j] for j, weight in enumerate(weights))
        if scrambled:
            listed = [mixed[c, place].item() for place in range(h * w) for c in range(channels)]
            mixed = torch.tensor(listed, dtype=torch.float64).view(channels, h * w)
        assert torch.allclose(got.flatten(1), flat + mixed, atol=1e-12)


def groups(side: int, window: int, shift: int) -> list[int]:
    """Which run of rows each row shares a window with, the first `shift` rows by themselves."""
    return [-1 if row < shift else (row - shift) // window for row in range(side)]


@pytest.mark.parametrize("number", [0, 1])
@torch.no_grad()
def test_a_swin_block_is_the_slow_loop(number: int) -> None:
    grid, window, width, heads = (8, 6), (4, 3), 6, 2
    stage = randomised(SwinStage(width, grid, heads=heads, window=window, mlp=9))
    block = stage.layers[0][number]
    shift = (window[0] // 2, window[1] // 2) if number else (0, 0)
    rows, columns = (groups(*triple) for triple in zip(grid, window, shift, strict=True))
    x = torch.randn(1, *grid, width, dtype=torch.float64)
    got = block(x)[0]

    query, key, value = block.attn.qkv(block.norm1(x))[0].view(*grid, 3, heads, -1).unbind(2)
    bias = block.attn.relative_position_bias_table.view(2 * window[0] - 1, 2 * window[1] - 1, heads)
    places = [(r, c) for r in range(grid[0]) for c in range(grid[1])]
    for r, c in places:
        near = [(a, b) for a, b in places if rows[a] == rows[r] and columns[b] == columns[c]]
        heard = []
        for head in range(heads):
            scale = 1 / math.sqrt(width // heads)
            logits = [
                scale * dot(query[r, c, head], key[a, b, head])
                + bias[r - a + window[0] - 1, c - b + window[1] - 1, head].item()
                for a, b in near
            ]
            heard.append(
                sum(s * value[a, b, head] for s, (a, b) in zip(softmax(logits), near, strict=True))
            )
        token = x[0, r, c] + block.attn.proj(torch.cat(heard))
        expected = token + block.mlp(block.norm2(token))
        assert torch.allclose(got[r, c], expected, atol=1e-9)


def test_windows_that_do_not_divide_the_grid_join_no_far_ends() -> None:
    stage = randomised(SwinStage(4, (13, 7), heads=2, window=(4, 4), mlp=4))
    for row, reach in ((0, 6), (12, 6)):
        x = torch.randn(1, 4, 13, 7, dtype=torch.float64, requires_grad=True)
        filled = stage._pad(x)
        seen = stage.layers[0](filled.permute(0, 2, 3, 1))[:, :13, :7]
        assert filled.shape == (1, 4, 16, 8) and stage(x).shape == x.shape
        (slope,) = torch.autograd.grad(seen[0, row].sum(), x)
        size = slope.abs().sum((0, 1, 3))
        touched = (size > 1e-20 * size.max()).nonzero().flatten()  # a mask is exp(-100)
        assert row in touched and (touched - row).abs().max() <= reach


@torch.no_grad()
def test_a_swin_stage_adds_013_of_each_layer() -> None:
    stage = randomised(SwinStage(4, (4, 4), heads=2, window=(2, 2), mlp=4))
    x = torch.randn(1, 4, 4, 4, dtype=torch.float64)
    expected = x
    for layer, convolution in zip(stage.layers, stage.convolutions, strict=True):
        inside = layer(expected.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        expected = expected + 0.13 * convolution(inside).clamp(min=0)
    assert torch.allclose(stage(x), expected)


def test_nearest_stretching_is_torchs_and_mixes_columns() -> None:
    which = cell_of_token((8, 12), (24, 24), "nearest")
    numbers = torch.arange(96.0).view(1, 1, 96)
    assert which.tolist() == F.interpolate(numbers, 576).long().flatten().tolist()
    assert all(
        which[24 * r + c] == 12 * (r // 3) + 4 * (r % 3) + c // 6
        for r in range(24)
        for c in range(24)
    )


@pytest.mark.parametrize(
    ("cells", "grid"), [((2, 3), (4, 6)), ((6, 5), (14, 12)), ((8, 12), (3, 5))]
)
def test_grid_stretching_keeps_rows_and_columns(
    cells: tuple[int, int], grid: tuple[int, int]
) -> None:
    which = cell_of_token(cells, grid, "grid").view(grid).tolist()
    for r, row in enumerate(which):
        for c, cell in enumerate(row):
            assert cell == math.floor(r * cells[0] / grid[0]) * cells[1] + math.floor(
                c * cells[1] / grid[1]
            )
    with pytest.raises(UsageError, match="grid or nearest"):
        cell_of_token(cells, grid, "bilinear")


@torch.no_grad()
def test_the_decoder_asks_for_every_token_with_its_cell() -> None:
    h, w, width, cell_width, heads = 3, 4, 6, 5, 2
    which = cell_of_token((2, 2), (h, w), "nearest")
    block = DegradationBlock(width, cell_width, heads=heads, cell_index=which, number=2)
    randomised(block)
    x = torch.randn(1, width, h, w, dtype=torch.float64)
    cells = torch.randn(1, 4, cell_width, dtype=torch.float64)

    tokens = x[0].flatten(1).T
    key, value = block.key_value(block.norm(tokens)).view(h * w, 2, heads, -1).unbind(1)
    added = []
    for place in range(h * w):
        query = block.query(cells[0, which[place]]).view(heads, -1)
        heard = []
        for head in range(heads):
            scale = 1 / math.sqrt(width // heads)
            logits = [scale * dot(query[head], key[k, head]) for k in range(h * w)]
            heard.append(sum(s * value[k, head] for k, s in enumerate(softmax(logits))))
        added.append(tokens[place] + block.out(torch.cat(heard)))
    expected = torch.stack(added)
    hidden = block.expand(block.mlp_norm(expected)).T.view(1, 4 * width, h, w)
    around = torch.zeros_like(hidden)
    for channel in range(4 * width):
        one = F.conv2d(hidden[:, [channel]], block.around.weight[[channel]], padding=1)
        around[:, channel] = one[0] + block.around.bias[channel]
    expected = expected + block.shrink(F.gelu(around).flatten(2)[0].T)
    assert torch.allclose(block(x, cells)[0].flatten(1).T, expected, atol=1e-9)
