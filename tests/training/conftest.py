"""A toy data set and a toy run, made in code, for the tests of everything around training."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def write_manifest(file: Path, rows: list[dict[str, object]]) -> Path:
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return file


def picture(seed: int, size: tuple[int, int] = (44, 56), level: float = 0.5) -> Image.Image:
    """Smooth random colours of a mean brightness; every seed another picture."""
    rng = np.random.default_rng(seed)
    coarse = np.clip(255 * level + 60 * rng.normal(size=(6, 5, 3)), 0, 255).astype(np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


@pytest.fixture(scope="session")
def toy_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """labels.csv: 90 pictures, brighter is better; 30 train, 60 val; identity and colour."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    rows: list[dict[str, object]] = []
    for number in range(90):
        score = float(np.round(rng.uniform(0.1, 0.9), 4))
        name = f"{number:06d}.png"
        picture(number, level=score).save(folder / name)
        split = "train" if number % 3 == 0 else "val"
        colour = "red" if number % 2 else "blue"
        row = {"image": name, "score": score, "split": split}
        rows.append({**row, "identity": f"p{number}", "colour": colour})
    return write_manifest(folder / "labels.csv", rows)


@pytest.fixture(scope="session")
def toy_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of an ensemble with random weights, 64 x 80."""
    torch = pytest.importorskip("torch")
    from facegauge.preprocess import PreprocessSpec
    from facegauge.training import networks
    from facegauge.training.runs import save_run

    torch.manual_seed(0)
    member = {"kind": "regressor", "depths": "all", "bias": 0.5}
    members = {
        name: {**member, "backbone": name} for name in ("mobilenet_v3_small", "shufflenet_v2_x0_5")
    }
    config = {"kind": "ensemble", "members": members, "flip": False}
    network = networks.build(config).eval()
    for part in network.members.values():
        torch.nn.init.normal_(part.head.weight, std=0.05)
    folder = tmp_path_factory.mktemp("runs") / "toy"
    settings = {
        "command": "facegauge train ensemble",
        "commit": "abc123",
        "data": [{"manifest": "toy/labels.csv", "pictures": 90}],
    }
    save_run(
        folder,
        system="ensemble",
        network=network,
        config=config,
        spec=PreprocessSpec(width=64, height=80),
        settings=settings,
    )
    return folder
