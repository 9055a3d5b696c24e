"""Toys, made in code: a scorer whose score is the mean of the pixels, pictures to learn from."""

from __future__ import annotations

import csv
import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from facegauge import zoo
from facegauge.calibration import Calibration, Offsets
from facegauge.data.manifests import Manifest, load_manifest
from facegauge.faces.spec import PreprocessSpec
from facegauge.zoo import Card, Cost, Data, Figure, Validation

TOY_SPEC = PreprocessSpec(width=24, height=32, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
TOY_CALIBRATION = Calibration(
    reference="toy labels",
    n=500,
    quantiles=tuple(place / 100 for place in range(101)),
    offsets=Offsets(knots=(0.4, 0.6), lower=(0.1, 0.2), upper=(0.15, 0.05)),
)


def trainable() -> list[str]:
    """The shipped scorers that are torch networks too; copies in int8 are not."""
    return [name for name in zoo.names() if not name.endswith("-int8")]


def toy_model(scale: float = 1.0, spec: PreprocessSpec = TOY_SPEC) -> bytes:
    """A network whose score is the mean of the normalised pixels, times `scale`."""
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["image", "axes"], ["mean"], keepdims=0),
            helper.make_node("Mul", ["mean", "scale"], ["score"]),
        ],
        "toy",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, 32, 24])],
        [
            helper.make_tensor_value_info("mean", TensorProto.FLOAT, ["N"]),
            helper.make_tensor_value_info("score", TensorProto.FLOAT, ["N"]),
        ],
        [
            numpy_helper.from_array(np.array([1, 2, 3], np.int64), "axes"),
            numpy_helper.from_array(np.array(scale, np.float32), "scale"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(model, {"facegauge.spec": spec.to_json()})
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def toy_card(model: bytes) -> Card:
    return Card(
        name="toy",
        system="none",
        summary="The mean of the pixels.",
        licence="none needed",
        sha256=hashlib.sha256(model).hexdigest(),
        cost=Cost(0.0, 0.0, "24x32"),
        data=Data("nothing", "none", "none"),
        val=Validation(
            10,
            "toy label",
            {"srcc": Figure(0.9, 0.8, 0.95), "plcc": Figure(0.91, 0.81, 0.96)},
        ),
        calibration=TOY_CALIBRATION,
    )


@dataclass(frozen=True)
class ToyPredictor:
    """A predictor made of a function: (n, 3, H, W) -> (n,), and (n, 10) if it uses landmarks."""

    name: str
    fingerprint: str
    spec: PreprocessSpec
    function: Callable[..., np.ndarray]
    uses_landmarks: bool = False
    version: str = "1.0"

    def predict(self, images: np.ndarray, landmarks: np.ndarray | None = None) -> np.ndarray:
        return self.function(images, *([landmarks] if self.uses_landmarks else []))


def grain(path: Path, rng: np.random.Generator, sharpness: float) -> Path:
    """Blurred noise, framed like a face: sharper with `sharpness`, 0..1."""
    size = max(2, round(48 * sharpness))
    noise = rng.integers(0, 256, (round(size * 4 / 3), size, 3), np.uint8)
    Image.fromarray(noise).resize((48, 64), Image.Resampling.BICUBIC).save(path)
    return path


def first_losses(folder: Path) -> dict[str, float]:
    """What a fit logged first, without its step, rate and speed."""
    row = json.loads((folder / "log.jsonl").read_text().splitlines()[0])
    return {name: row[name] for name in row if name not in ("step", "lr", "steps_per_s")}


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


def noise_picture(seed: int = 0, size: tuple[int, int] = (44, 56)) -> Image.Image:
    """Smooth random colours of the whole range."""
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 255, (6, 5, 3), np.uint8)).resize(size)


def load_list(folder: Path, text: str) -> Manifest:
    """The manifest `list.csv` of that text, in a folder with its pictures."""
    file = folder / "list.csv"
    file.write_text(text, encoding="utf-8")
    return load_manifest(file)


class _Killer(logging.Handler):
    def __init__(self, words: str) -> None:
        super().__init__()
        self.words = words

    def emit(self, record: logging.LogRecord) -> None:
        if self.words in record.getMessage():
            raise KeyboardInterrupt


@contextmanager
def killed_at(words: str) -> Iterator[None]:
    """Raise KeyboardInterrupt once the library logs a line with these words."""
    logger, handler = logging.getLogger("facegauge"), _Killer(words)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
