"""A run folder to a scorer folder: ONNX, checked against torch, with its card and weights."""

from __future__ import annotations

import hashlib
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from facegauge.calibration import fit_calibration
from facegauge.errors import ScorerError, UsageError
from facegauge.metrics import Evaluation, Interval, evaluate
from facegauge.preprocess import PreprocessSpec
from facegauge.training.evaluate import predict_network
from facegauge.training.manifests import Manifest
from facegauge.training.networks.heatmap import Explains
from facegauge.training.profile import profile_network
from facegauge.training.runs import Run, save_run
from facegauge.zoo import Card, Cost, Data, Figure, Validation, card_to_toml

OPSET = 17
TOLERANCE = 1e-5
BATCHES = (1, 2, 5)


class Shipped(nn.Module):
    """The network as it ships: its score (N,), over the mirrored picture too if asked.

    Attributes:
        explains: whether the network has heat maps.
    """

    def __init__(self, network: nn.Module, flip: bool) -> None:
        super().__init__()
        self.network, self.flip = network, flip
        self.explains = isinstance(network, Explains)

    def forward(self, image: Tensor) -> Tensor:
        """(N, 3, H, W), normalised, to (N,)."""
        score: Tensor = self.network(image)
        if self.flip:
            score = (score + self.network(image.flip(3))) / 2
        return score.reshape(-1)

    def explain(self, image: Tensor) -> Tensor:
        """(N, 3, H, W), normalised, to heat maps (N, h, w), if the network has them."""
        assert isinstance(self.network, Explains)
        heat = self.network.explain(image)
        if self.flip:
            heat = (heat + self.network.explain(image.flip(3)).flip(2)) / 2
        return heat


class _Both(nn.Module):
    """Score and heat map for the exporter, the score taken from the map.

    onnxruntime runs the whole graph even where only the score is asked for, so a map beside the
    pooled head would cost time at every score; in its place it does not.
    """

    def __init__(self, shipped: Shipped) -> None:
        super().__init__()
        self.shipped = shipped

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        heat = self.shipped.explain(image)
        return heat.mean((1, 2)), heat


def export_run(
    run: Run,
    folder: str | Path,
    *,
    name: str,
    data: Manifest,
    flip: bool = False,
    label_name: str = "label",
    licence: str = "not stated",
    summary: str = "",
) -> Card:
    """Write a scorer folder.

    It holds `model.onnx` (opset 17, weights inside, any batch size; input `image`, output `score`
    and, if the network has heat maps, `heat_map`; the spec in its metadata), `card.toml`, and
    `model.safetensors` with `run.json` for fine-tuning. The figures and the interval of the card
    are from the val split of `data`, pictures taken whole; percentiles refer to the labels of its
    train split.

    Args:
        flip: average over the mirrored picture, inside the model; doubles the cost. No effect on
            an ensemble that does so already.
        label_name: what the labels are called in the card.
        licence: in words.
        summary: one or two sentences for people.

    Returns:
        The card.

    Raises:
        UsageError: `folder` is in use; no train or val rows; a val picture cannot be read, or
            the scores on val have no spread.
        ScorerError: onnxruntime and torch differ by more than 1e-5. Nothing is left behind.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is in use; choose a new folder for the scorer")
    train, val = data.where(split="train"), data.where(split="val")
    config: dict[str, Any] = dict(run.config)
    if flip and config.get("flip") is False:  # an ensemble does it itself, and run.json says so
        from facegauge.training.networks import build

        config["flip"] = True
        network = build(config)
        network.load_state_dict(run.network.state_dict())
        shipped = Shipped(network, flip=False)
    else:
        shipped = Shipped(run.network, flip and not config.get("flip", False))
    shipped = shipped.cpu().eval()

    scores = predict_network(shipped, run.spec, val)
    if scores.unscored:
        row, why = next(iter(scores.unscored.items()))
        raise UsageError(f"cannot score {val.paths[row]}: {why}")
    judged = evaluate(val.labels(), scores.scores)
    if np.isnan([judged.srcc.value, judged.plcc.value]).any():
        raise UsageError(f"the figures on val are not defined: {'; '.join(judged.notes)}")
    cost = profile_network(shipped, run.spec, runs=0)

    with _whole_or_nothing(folder) as partial:
        model = partial / "model.onnx"
        write_onnx(shipped, run.spec, model)
        check_onnx(shipped, run.spec, model)
        save_run(
            partial,
            system=run.system,
            network=shipped.network,
            config=config,
            spec=run.spec,
            settings=run.settings,
        )
        size = f"{run.spec.width}x{run.spec.height}"
        card = Card(
            name=name,
            system=run.system,
            summary=summary or f"{run.system}, trained with facegauge.",
            licence=licence,
            sha256=hashlib.sha256(model.read_bytes()).hexdigest(),
            cost=Cost(round(cost.parameters / 1e6, 6), round(cost.gflops, 4), size),
            data=_data(run),
            val=Validation(len(val), label_name, _figures(judged)),
            calibration=fit_calibration(
                scores.scores, val.labels(), train.labels(), f"{label_name}s of the train split"
            ),
        )
        (partial / "card.toml").write_text(card_to_toml(card), encoding="utf-8")
    return card


def write_onnx(shipped: Shipped, spec: PreprocessSpec, file: Path) -> None:
    """Write a network in eval mode, with its heat map if it has one, as ONNX with its spec.

    The exporter that traces is used: the newer one needs onnxscript, and these networks have no
    control flow. Its example has a batch of 2, so that nothing takes the batch for 1.
    """
    import onnx

    image = torch.zeros(2, 3, spec.height, spec.width)
    network, outputs = (
        (_Both(shipped), ["score", "heat_map"]) if shipped.explains else (shipped, ["score"])
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network.eval(),
            (image,),
            str(file),
            input_names=["image"],
            output_names=outputs,
            dynamic_axes={name: {0: "faces"} for name in ("image", *outputs)},
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load(str(file))
    onnx.helper.set_model_props(model, {"facegauge.spec": spec.to_json()})
    onnx.save(model, str(file))


def check_onnx(shipped: Shipped, spec: PreprocessSpec, file: Path) -> float:
    """The largest difference between torch and onnxruntime, at several batch sizes.

    Raises:
        ScorerError: it is above `TOLERANCE`; for a heat map with places beyond 1, above that share
            of the largest.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    providers = ["CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(str(file), options, providers=providers)
    generator = torch.Generator().manual_seed(0)
    worst = 0.0
    for batch in BATCHES:
        image = torch.randn(batch, 3, spec.height, spec.width, generator=generator)
        with torch.inference_mode():
            expected = {"score": shipped(image).numpy()}
            if shipped.explains:
                expected["heat_map"] = shipped.explain(image).numpy()
        given = session.run(list(expected), {"image": image.numpy()})
        for (name, ours), theirs in zip(expected.items(), given, strict=True):
            if theirs.shape != ours.shape:
                raise ScorerError(
                    f"the {name} of {file.name} is {theirs.shape}, expected {ours.shape}"
                )
            difference = float(np.abs(theirs - ours).max())
            accepted = TOLERANCE
            if name == "heat_map":  # the noise that is shown here may drive places far beyond 1
                accepted *= max(1.0, float(np.abs(ours).max()))
            if not difference <= accepted:
                raise ScorerError(
                    f"onnxruntime and torch differ by {difference:.2g} in the {name} at batch size "
                    f"{batch}; at most {accepted:.2g} is accepted, so nothing was exported"
                )
            worst = max(worst, difference)
    return worst


@contextmanager
def _whole_or_nothing(folder: Path) -> Iterator[Path]:
    """A folder to fill, which takes its name only when all went well."""
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        if folder.exists():
            folder.rmdir()  # empty: `export_run` has looked
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _figures(judged: Evaluation) -> dict[str, Figure]:
    """The intervals of an evaluation that are numbers, to four decimals."""
    out = {}
    for field in fields(judged):
        value = getattr(judged, field.name)
        if isinstance(value, Interval) and np.isfinite([value.value, value.low, value.high]).all():
            ends = (round(end, 4) for end in (value.value, value.low, value.high))
            out[field.name] = Figure(*ends)
    return out


def _data(run: Run) -> Data:
    """What the run's settings say of data, command and commit."""
    lists = run.settings.get("data", [])
    trained_on = ", ".join(f"{one['manifest']} ({one['pictures']} pictures)" for one in lists)
    command, commit = (str(run.settings.get(key, "unknown")) for key in ("command", "commit"))
    return Data(trained_on or "unknown", command, commit)
