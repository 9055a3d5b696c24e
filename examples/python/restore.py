"""Restore a face with its quality in the loss, and see how a score can be gamed.

    python examples/python/restore.py
    python examples/python/restore.py --damaged examples/astronaut_jpeg.jpg

A small network learns to undo the noise of one example picture: by its distance from the original,
and by that and the score. Then the pixels themselves follow the score alone. PSNR and the score of
another network, which no loss contains, tell what each gain is worth.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torchmetrics.functional.image import peak_signal_noise_ratio

from facegauge.metric import FaceQualityLoss, face_quality

EXAMPLES = Path(__file__).resolve().parent.parent
FRAME = (139, 0, 311, 209)  # head and shoulders in the example pictures


def open_tensor(path: Path) -> Tensor:
    """A picture's frame as (1, 3, H, W) in 0..1."""
    pixels = np.array(Image.open(path).convert("RGB").crop(FRAME))
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


def restored(damaged: Tensor, original: Tensor, weight: float, steps: int) -> Tensor:
    """What a small network makes of the picture, trained on it."""
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 16, 5, padding=2), nn.ReLU(), nn.Conv2d(16, 3, 5, padding=2)
    network, quality = nn.Sequential(*layers), FaceQualityLoss(faces="whole")
    optimiser = torch.optim.Adam(network.parameters(), 5e-3)
    for _ in range(steps):
        picture = damaged + network(damaged - 0.5)
        loss = nn.functional.l1_loss(picture, original)
        if weight:
            loss = loss + weight * quality(picture)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return picture.detach().clamp(0, 1)


def gamed(damaged: Tensor, steps: int) -> Tensor:
    """The picture whose pixels were moved by at most four levels a step, up the score."""
    picture, quality = damaged.clone(), FaceQualityLoss(faces="whole")
    for _ in range(steps):
        picture.requires_grad_()
        (gradient,) = torch.autograd.grad(quality(picture), picture)
        picture = (picture.detach() - 4 / 255 * gradient / gradient.abs().max()).clamp(0, 1)
    return picture


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--damaged", type=Path, default=EXAMPLES / "astronaut_noise.jpg")
    parser.add_argument("--steps", type=int, default=50, help="of each loop")
    given = parser.parse_args(arguments)

    original, damaged = open_tensor(EXAMPLES / "astronaut.jpg"), open_tensor(given.damaged)
    pictures = {"damaged": damaged, "original": original}
    for name, weight in {"distance": 0.0, "distance and score": 0.05}.items():
        pictures[name] = restored(damaged, original, weight, given.steps)
    pictures["score alone"] = gamed(damaged, given.steps)
    print("picture               PSNR  mobile  mspt")
    for name, picture in pictures.items():
        psnr = peak_signal_noise_ratio(picture, original, data_range=1.0)
        scores = [face_quality(picture, scorer=one, faces="whole") for one in ("mobile", "mspt")]
        print(f"{name:19}  {psnr:5.1f}   {scores[0]:.3f}  {scores[1]:.3f}")


if __name__ == "__main__":
    main()
