"""A torch network that scores face crops: run folders, and networks during training."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from hashlib import sha256

import numpy as np
import torch
from torch import Tensor, nn

from facegauge.arrays import FloatArray, Pixels, Scores
from facegauge.errors import ScorerError, UsageError
from facegauge.faces.landmarks import LANDMARK_SIZE
from facegauge.faces.spec import PreprocessSpec
from facegauge.nn.checkpoints import load_run
from facegauge.nn.normalise import Normalise
from facegauge.onnx_runtime import DEVICES
from facegauge.progress import track


class TorchPredictor:
    """A torch network as a `predictors.Predictor`, on the device that it is on.

    The network computes in evaluation mode; its own mode is restored afterwards.

    Args:
        name: for people, and for the column `scorer` of tables.
        network: (n, 3, H, W) normalised float32 -> (n,) scores. If its attribute `uses_landmarks`
            is true, it also takes (n, 10) landmarks, if `uses_size` is, (n, 1) sizes; see
            `faces.guide`.
        spec: how a face becomes the network's input.
        version: of the network, if it has one.
        members: the parts of an ensemble by name; they see the same crops.
    """

    def __init__(
        self,
        name: str,
        network: nn.Module,
        spec: PreprocessSpec,
        *,
        version: str = "",
        members: Mapping[str, nn.Module] | None = None,
    ) -> None:
        self.name, self.network, self.spec, self.version = name, network, spec, version
        self.uses_landmarks, self.uses_size = uses_landmarks(network), uses_size(network)
        self.members: Mapping[str, TorchPredictor] = {
            key: TorchPredictor(key, member, spec) for key, member in (members or {}).items()
        }

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the weights and the spec, 64 hex digits, as they are at the first request."""
        digest = sha256(self.spec.to_json().encode())
        for key, value in sorted(self.network.state_dict().items()):
            digest.update(key.encode())
            digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
        return digest.hexdigest()

    def predict(self, images: FloatArray, guide: FloatArray | None = None) -> Scores:
        """Scores of normalised crops, as the network gives them.

        Args:
            images: (n, 3, H, W) normalised float32.
            guide: (n, 10) landmarks or (n, 1) sizes, see `faces.guide`; not read by networks
                that use neither. None: unknown.

        Returns:
            (n,) float64, not clipped.
        """
        return _predict(self.network, torch.from_numpy(images), guide)


def open_run_predictor(folder: str | os.PathLike[str], device: str = "cpu") -> TorchPredictor:
    """The network of a run folder, with its members if it is an ensemble.

    Args:
        folder: of the run.
        device: where torch computes, cpu or cuda.

    Raises:
        UsageError: the folder is not a run folder, it is damaged, or torch has no such device.
    """
    if device not in DEVICES:
        raise UsageError(f"expected device to be {' or '.join(DEVICES)}, got {device!r}")
    if device == "cuda" and not torch.cuda.is_available():
        raise UsageError(
            "device cuda cannot be used: torch finds no GPU, or was built without CUDA"
        )
    run = load_run(folder)
    name = run.folder.resolve().name
    members = {key: member.to(device) for key, member in run.members.items()}
    return TorchPredictor(name, run.network.to(device), run.spec, members=members)


def uses_landmarks(network: nn.Module) -> bool:
    """Whether a network takes a face's five points as a second input."""
    return bool(getattr(network, "uses_landmarks", False))


def landmark_size(network: nn.Module) -> int:
    """How many numbers that second input has for each face: those of five points, or of more."""
    return int(getattr(network, "landmark_size", LANDMARK_SIZE))


def uses_size(network: nn.Module) -> bool:
    """Whether a network takes the size of a face as a second input."""
    return bool(getattr(network, "uses_size", False))


def predict_views(
    network: nn.Module,
    spec: PreprocessSpec,
    views: Pixels,
    guide: FloatArray | None = None,
    *,
    batch_size: int = 64,
    what: str = "scoring",
) -> Scores:
    """Scores of sampled views, in evaluation mode; the network's own mode is restored.

    Args:
        network: (n, 3, H, W) normalised float32, and (n, 10) landmarks or (n, 1) sizes if it uses
            them -> (n,).
        spec: normalisation of the network's input.
        views: (n, H, W, 3) uint8, of the network's input size.
        guide: the landmarks or sizes, see `faces.guide`; None: unknown.
        batch_size: views that the network sees at a time.
        what: the step's name while it is shown, see `progress.track`.

    Returns:
        (n,) float64, as the network gives them.
    """
    normalise = Normalise(spec).to(_device(network))
    scores = [np.empty(0, np.float64)]
    starts = range(0, len(views), batch_size)
    for start in track(starts, what, total=len(views), unit="views", each=batch_size):
        rows = slice(start, start + batch_size)
        images = normalise(torch.from_numpy(views[rows]).to(_device(network)))
        scores.append(_predict(network, images, None if guide is None else guide[rows]))
    return np.concatenate(scores)


def _predict(network: nn.Module, images: Tensor, guide: FloatArray | None) -> Scores:
    device = _device(network)
    inputs = [images.to(device).contiguous(memory_format=torch.channels_last)]  # faster on a CPU
    if uses_landmarks(network):
        unknown = (len(images), landmark_size(network))
        known = np.zeros(unknown, np.float32) if guide is None else guide
        inputs.append(torch.from_numpy(known).to(device))
    elif uses_size(network) and guide is not None:
        inputs.append(torch.from_numpy(guide).to(device))
    with _evaluation_mode(network), torch.inference_mode():
        scores: Scores = network(*inputs).float().cpu().numpy().astype(np.float64)
    if scores.shape != (len(images),):
        raise ScorerError(f"expected {len(images)} scores of the network, got {scores.shape}")
    return scores


def _device(network: nn.Module) -> torch.device:
    return next((weight.device for weight in network.parameters()), torch.device("cpu"))


@contextmanager
def _evaluation_mode(network: nn.Module) -> Iterator[None]:
    """Every module's own mode is restored: a frozen part may be in another than the whole."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
