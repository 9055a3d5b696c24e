"""Training views made on the device that trains: sampled, tinted, mirrored, degraded.

The twins of `faces.sampling.sample` (bilinear, without anti-aliasing), of `methods.photos.views`
and of `data.degradations`, whose tables of strengths they take.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from facegauge.arrays import Pixels
from facegauge.data.degradations import blur, light, noise_jpeg
from facegauge.data.degradations.strength import GAMMA, strength
from facegauge.training.methods.photos.views import LUMA, SEPIA
from facegauge.training.view_settings import ViewsConfig

# of the JPEG standard, annex K: luminance and chrominance
TABLES = (
    "16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 "
    "62 18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101 72 92 95 "
    "98 112 100 103 99",
    "17 18 24 47 99 99 99 99 18 21 26 66 99 99 99 99 24 26 56 99 99 99 99 99 47 66 99 99 99 99 99 "
    "99" + " 99" * 32,
)
TO_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))


@dataclass(frozen=True, eq=False)
class Store:
    """N pictures of any sizes on a device.

    Attributes:
        pixels: (P, 3) uint8, of all pictures, row by row, one after the other.
        starts, heights, widths: (N,) of each picture.
        frames: (N, 4) left, top, right, bottom of the face's frame.
    """

    pixels: Tensor
    starts: Tensor
    heights: Tensor
    widths: Tensor
    frames: Tensor

    @classmethod
    def of(cls, pictures: Sequence[Pixels], frames: Tensor, device: torch.device) -> Store:
        heights, widths = (torch.tensor([one.shape[axis] for one in pictures]) for axis in (0, 1))
        ends = torch.cumsum(heights * widths, 0)
        pixels = torch.from_numpy(np.concatenate([one.reshape(-1, 3) for one in pictures]))
        columns = pixels, ends - heights * widths, heights, widths, frames
        return cls(*(column.to(device) for column in columns))

    def __deepcopy__(self, memo: Any) -> Store:
        return self  # it is large, and nothing changes it

    def sample(self, rows: Tensor, frames: Tensor, height: int, width: int) -> Tensor:
        """Bilinear samples of frames (B, 4) of the pictures `rows`: (B, 3, height, width) 0..255.

        Outside a picture its border is repeated.
        """
        start, wide = self.starts[rows][:, None, None], self.widths[rows][:, None, None]
        left, top, right, bottom = frames.unbind(1)
        y, below, down = _taps(top, bottom, height, self.heights[rows])
        x, beside, across = _taps(left, right, width, self.widths[rows])

        def at(y: Tensor, x: Tensor) -> Tensor:
            return self.pixels[start + y[:, :, None] * wide + x[:, None]].float()

        across, down = across[:, None, :, None], down[:, :, None, None]
        upper, lower = (torch.lerp(at(line, x), at(line, beside), across) for line in (y, below))
        return torch.lerp(upper, lower, down).round().permute(0, 3, 1, 2)


def _taps(low: Tensor, high: Tensor, count: int, limit: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Two pixels (B, count) around each sample along an axis, and the weight of the second."""
    steps = (torch.arange(count, device=low.device) + 0.5) / count
    centres = low[:, None] + steps * (high - low)[:, None] - 0.5
    first = centres.floor()
    last = (limit - 1)[:, None]
    taps = (place.long().clamp(min=0).minimum(last) for place in (first, first + 1))
    return *taps, centres - first


def jittered(frames: Tensor, config: ViewsConfig, random: torch.Generator) -> Tensor:
    """Frames (B, 4), moved and scaled at random as by `faces.framing.jittered`."""
    spread = torch.rand(len(frames), 4, generator=random, device=frames.device) * 2 - 1
    size = frames[:, 2:] - frames[:, :2]
    shift, grow = spread[:, :2] * config.shift * size, spread[:, 2:3] * config.zoom / 2 * size
    whole = (spread[:, 3:] + 1) / 2 < config.integer_shift_prob
    shift, grow = torch.where(whole, shift.round(), shift), torch.where(whole, 0, grow)
    return torch.cat([frames[:, :2] + shift - grow, frames[:, 2:] + shift + grow], 1)


def tinted(views: Tensor, share: float, random: torch.Generator) -> Tensor:
    """A share of views (B, 3, H, W) in grey, sepia or less colour."""
    chance, which, mix = torch.rand(3, len(views), 1, 1, 1, generator=random, device=views.device)
    luma, sepia = (views.new_tensor(of).view(1, 3, 1, 1) for of in (LUMA, SEPIA))
    grey = (views * luma).sum(1, keepdim=True)
    pale = torch.lerp(views, grey.expand_as(views), 0.2 + 0.7 * mix)
    tint = torch.where(which < 0.5, grey, torch.where(which < 0.75, grey * sepia, pale))
    return torch.where(chance < share, tint, views).clamp(0, 255).round()


def mirrored(views: Tensor, random: torch.Generator) -> Tensor:
    """Half of views (B, 3, H, W), mirrored."""
    half = torch.rand(len(views), 1, 1, 1, generator=random, device=views.device) < 0.5
    return torch.where(half, views.flip(3), views)


def degraded(
    view: Tensor, kind: str, severity: float, density: float, random: torch.Generator
) -> Tensor:
    """One view (3, H, W), 0..255, degraded as by `data.degradations.degrade`.

    Args:
        kind: a key of `KINDS`.
        severity: 0 to 5.
        density: pixels of the view in a pixel of the picture, 1 or less; lengths follow it.
    """
    return KINDS[kind](view[None], severity, density, random)[0].clamp(0, 255).round()


def _blur(x: Tensor, severity: float, density: float, random: torch.Generator) -> Tensor:
    sigma = max(strength(blur.BLUR_SIGMA, severity) * density, 0.05)
    reach = max(1, round(3 * sigma))
    places = torch.arange(-reach, reach + 1, device=x.device)
    kernel = torch.exp(-0.5 * (places / sigma) ** 2)
    kernel = (kernel / kernel.sum()).expand(3, 1, 1, -1)
    for _ in range(2):
        x = F.conv2d(F.pad(x, (reach, reach, 0, 0), "replicate"), kernel, groups=3).transpose(2, 3)
    return x


def _downscale(x: Tensor, severity: float, density: float, random: torch.Generator) -> Tensor:
    factor = max(1.0, strength(blur.DOWNSCALE_FACTOR, severity) * density)
    small = [max(1, round(side / factor)) for side in x.shape[2:]]
    for size in (small, x.shape[2:]):
        x = F.interpolate(x, size=tuple(size), mode="bicubic", antialias=True).clamp(0, 255)
    return x


def _noise(x: Tensor, severity: float, density: float, random: torch.Generator) -> Tensor:
    sigma = strength(noise_jpeg.NOISE_SIGMA, severity)
    return x + sigma * torch.randn(x.shape, generator=random, device=x.device)


def _jpeg(x: Tensor, severity: float, density: float, random: torch.Generator) -> Tensor:
    """Blocks of 8 x 8 in brightness and two colours, which have half the resolution."""
    quality = strength(noise_jpeg.JPEG_QUALITY, severity)
    scale = 5000 / quality if quality < 50 else 200 - 2 * quality
    height, width = x.shape[2:]
    x = F.pad(x, (0, -width % 16, 0, -height % 16), "replicate") - 128
    matrix = x.new_tensor(TO_YCC)
    planes = torch.einsum("dc,bchw->bdhw", matrix, x)
    colours = F.avg_pool2d(planes[:, 1:], 2)
    parts = []
    for part, table in zip((planes[:, :1], colours), TABLES, strict=True):
        steps = x.new_tensor([float(value) for value in table.split()]).view(8, 8)
        parts.append(_quantised(part, ((steps * scale + 50) / 100).floor().clamp(1, 255)))
    colours = F.interpolate(parts[1], scale_factor=2, mode="bilinear")
    back = torch.einsum("dc,bchw->bdhw", matrix.inverse(), torch.cat([parts[0], colours], 1))
    return (back + 128)[..., :height, :width]


def _quantised(planes: Tensor, steps: Tensor) -> Tensor:
    """Planes (B, C, H, W) whose cosines in blocks of 8 x 8 are multiples of `steps` (8, 8)."""
    order = torch.arange(8, device=planes.device, dtype=planes.dtype)
    cosines = torch.cos((2 * order + 1) * order[:, None] * torch.pi / 16) / 2
    cosines[0] /= 2**0.5
    blocks = planes.unflatten(3, (-1, 8)).unflatten(2, (-1, 8)).transpose(3, 4)
    found = cosines @ blocks @ cosines.T
    back = cosines.T @ ((found / steps).round() * steps) @ cosines
    return back.transpose(3, 4).flatten(4, 5).flatten(2, 3)


def _exposed(table: tuple[float, ...]) -> Callable[..., Tensor]:
    def expose(x: Tensor, severity: float, density: float, random: torch.Generator) -> Tensor:
        return x * strength(table, severity) ** (1 / GAMMA)  # type: ignore[arg-type]

    return expose


def _low_contrast(x: Tensor, severity: float, density: float, random: torch.Generator) -> Tensor:
    return (x - 128) * strength(light.CONTRAST_GAIN, severity) + 128


KINDS: dict[str, Callable[[Tensor, float, float, torch.Generator], Tensor]] = {
    "gaussian_blur": _blur,
    "downscale": _downscale,
    "jpeg": _jpeg,
    "noise": _noise,
    "dark": _exposed(light.DARK_GAIN),
    "bright": _exposed(light.BRIGHT_GAIN),
    "low_contrast": _low_contrast,
}
