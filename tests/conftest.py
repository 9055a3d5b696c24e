"""Fixtures made in code: a toy scorer whose score is known, and plain pictures."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from browser import Browser, browsing, executable
from facegauge.faces.spec import PreprocessSpec
from facegauge.zoo import card_to_toml
from toys import TOY_SPEC, picture, toy_card, toy_model, write_manifest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # the networks here are too small for more threads


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium; see `browser.py`. Of one module: its event loop must not meet another's."""
    pytest.importorskip("playwright")
    if executable() is None:
        pytest.skip("needs the Debian package chromium")
    with browsing() as running:
        yield running


@pytest.fixture
def make_scorer(tmp_path: Path) -> Callable[..., Path]:
    """Writes a scorer folder: make_scorer(name="toy-scorer", scale=1.0, spec=TOY_SPEC)."""

    def make(name: str = "toy-scorer", scale: float = 1.0, spec: PreprocessSpec = TOY_SPEC) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        model = toy_model(scale, spec)
        (folder / "model.onnx").write_bytes(model)
        (folder / "card.toml").write_text(card_to_toml(toy_card(model)), encoding="utf-8")
        return folder

    return make


@pytest.fixture
def toy_scorer(make_scorer: Callable[..., Path]) -> Path:
    """A scorer folder; its score is the mean of the pixels, 0..1."""
    return make_scorer()


@pytest.fixture
def grey(tmp_path: Path) -> Callable[..., Path]:
    """Writes an even grey picture: grey("a.png", 51) has the toy score 0.2."""

    def write(name: str, level: int, size: tuple[int, int] = (48, 64)) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (level,) * 3).save(path)
        return path

    return write


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
    from facegauge.faces.spec import PreprocessSpec
    from facegauge.nn import build as networks
    from facegauge.nn.checkpoints import save_run

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
