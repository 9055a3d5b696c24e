"""A run folder to a scorer folder: ONNX, checked against torch, with its card and weights."""

from __future__ import annotations

import hashlib
import shutil
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from facegauge.data.manifests import Manifest
from facegauge.errors import ScorerError, UsageError
from facegauge.evaluation.calibration import fit_calibration
from facegauge.evaluation.evaluate import predict_network
from facegauge.evaluation.metrics import Evaluation, Interval, evaluate
from facegauge.faces.landmarks import LANDMARK_SIZE, MIRROR_ORDER
from facegauge.faces.spec import PreprocessSpec
from facegauge.nn.checkpoints import Run, save_run
from facegauge.nn.heatmap import Explainable
from facegauge.nn.profile import profile_network
from facegauge.training.methods.dsl_fiqa.network import DslFiqa
from facegauge.zoo import Card, Cost, Data, Figure, Validation, card_to_toml

if TYPE_CHECKING:
    import onnx

OPSET = 17
TOLERANCE = 1e-5
BATCHES = (1, 2, 5)


class Shipped(nn.Module):
    """The network as it ships: its score (N,), over the mirrored picture too if asked.

    Attributes:
        guided: whether it also takes landmarks, (N, 10), see `landmark_vector`.
    """

    def __init__(self, network: nn.Module, flip: bool) -> None:
        super().__init__()
        self.network, self.flip = network, flip
        self.guided = bool(getattr(network, "guided", False))

    def forward(self, image: Tensor, *landmarks: Tensor) -> Tensor:
        """(N, 3, H, W), normalised, to (N,)."""
        score: Tensor = self.network(image, *landmarks)
        if self.flip:
            score = (score + self.network(image.flip(3), *map(_mirrored, landmarks))) / 2
        return score.reshape(-1)

    def outputs(self, image: Tensor, *landmarks: Tensor) -> dict[str, Tensor]:
        """The score (N,) and whatever maps (N, h, w) the network has, by name."""
        found = self._outputs(image, *landmarks)
        if not self.flip:
            return found
        mirrored = self._outputs(image.flip(3), *map(_mirrored, landmarks))
        return {
            name: (value + (mirrored[name].flip(2) if value.ndim > 1 else mirrored[name])) / 2
            for name, value in found.items()
        }

    def _outputs(self, image: Tensor, *landmarks: Tensor) -> dict[str, Tensor]:
        if isinstance(self.network, DslFiqa):
            said = self.network.assess(image, *landmarks)
            return {"score": said.score, "heat_map": said.heat_map, **said._asdict()}
        if isinstance(self.network, Explainable):
            # The score is taken from the map: onnxruntime runs the whole graph even where only the
            # score is asked for, so a map beside the pooled head would cost time at every score.
            heat = self.network.explain(image)
            return {"score": heat.mean((1, 2)), "heat_map": heat}
        return {"score": self.network(image).reshape(-1)}


def _mirrored(landmarks: Tensor) -> Tensor:
    """`mirror_landmarks` on a batch, (N, 10), without numpy, so that it can be exported."""
    places = landmarks.view(-1, 5, 2)[:, list(MIRROR_ORDER)]
    return (places * places.new_tensor([-1.0, 1.0])).flatten(1)


class _Traced(nn.Module):
    """All that ships, as the tuple that the exporter takes."""

    def __init__(self, shipped: Shipped) -> None:
        super().__init__()
        self.shipped = shipped

    def forward(self, image: Tensor, *landmarks: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.shipped.outputs(image, *landmarks).values())


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

    It holds `model.onnx` (opset 17, weights inside, any batch size; input `image` and, where they
    guide the network, `landmarks`; output `score` and the maps that the network has, `heat_map`
    before all; the spec in its metadata), `card.toml`, and
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
        UsageError: `folder` is in use or cannot be made; no train or val rows, or no labels; a val
            picture cannot be read, or the scores on val have no spread.
        ScorerError: onnxruntime and torch differ by more than 1e-5. Nothing is left behind.
    """
    folder = Path(folder).resolve()
    used = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    if used or folder == Path.cwd():
        raise UsageError(f"{folder} is in use; choose a new folder for the scorer")
    train, val = data.where(split="train"), data.where(split="val")
    labels, scale = val.labels(), train.labels()
    settings = run.settings
    config: dict[str, Any] = dict(run.config)
    if flip and config.get("flip") is False:  # an ensemble does it itself, and run.json says so
        from facegauge.nn.build import build

        config["flip"] = True
        network = build(config)
        network.load_state_dict(run.network.state_dict())
        shipped = Shipped(network, flip=False)
    else:
        shipped = Shipped(run.network, flip and not config.get("flip", False))
    shipped = shipped.cpu().eval()

    with _whole_or_nothing(folder) as partial:  # made now: it may be refused
        scores = predict_network(shipped, run.spec, val)
        if scores.unscored:
            row, why = next(iter(scores.unscored.items()))
            raise UsageError(f"cannot score {val.paths[row]}: {why}")
        judged = evaluate(scores.scores, labels)
        if np.isnan([judged.srcc.value, judged.plcc.value]).any():
            raise UsageError(f"the figures on val are not defined: {'; '.join(judged.notes)}")
        cost = profile_network(shipped, run.spec, runs=0)

        model = partial / "model.onnx"
        write_onnx(shipped, run.spec, model)
        check_onnx(shipped, run.spec, model)
        save_run(
            partial,
            system=run.system,
            network=shipped.network,
            config=config,
            spec=run.spec,
            settings=settings,
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
                scores.scores, labels, scale, f"{label_name}s of the train split"
            ),
        )
        (partial / "card.toml").write_text(card_to_toml(card), encoding="utf-8")
    return card


def write_onnx(shipped: Shipped, spec: PreprocessSpec, file: Path) -> None:
    """Write a network in eval mode, with the maps that it has, as ONNX with its spec.

    The exporter that traces is used: the newer one needs onnxscript, and these networks have no
    control flow. Its example has a batch of 2, so that nothing takes the batch for 1.
    """
    import onnx

    given = _given(shipped, torch.zeros(2, 3, spec.height, spec.width))
    with torch.inference_mode():
        outputs = list(shipped.eval().outputs(*given.values()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Traced(shipped).eval(),
            tuple(given.values()),
            str(file),
            input_names=list(given),
            output_names=outputs,
            dynamic_axes={name: {0: "faces"} for name in (*given, *outputs)},
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load(str(file))
    _shorten_names(model.graph, keep={*given, *outputs})
    onnx.helper.set_model_props(model, {"facegauge.spec": spec.to_json()})
    onnx.save(model, str(file))


def _shorten_names(graph: onnx.GraphProto, keep: set[str]) -> None:
    """Number what lies between inputs and outputs: a deep network's names take half a megabyte."""
    short: dict[str, str] = {name: name for name in ("", *keep)}

    def numbered(names: Iterable[str]) -> list[str]:
        return [short.setdefault(name, str(len(short))) for name in names]

    for node in graph.node:
        node.name = ""
        node.input[:], node.output[:] = numbered(node.input), numbered(node.output)
    for tensor in graph.initializer:
        (tensor.name,) = numbered([tensor.name])


def check_onnx(shipped: Shipped, spec: PreprocessSpec, file: Path) -> float:
    """The largest difference between torch and onnxruntime, at several batch sizes.

    Raises:
        ScorerError: it is above `TOLERANCE`; for a map with places beyond 1, above that share of
            the largest.
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
        given = _given(shipped, image, generator)
        with torch.inference_mode():
            expected = {
                name: value.numpy() for name, value in shipped.outputs(*given.values()).items()
            }
            expected["score"] = shipped(*given.values()).numpy()
        found = session.run(list(expected), {name: x.numpy() for name, x in given.items()})
        for (name, ours), theirs in zip(expected.items(), found, strict=True):
            if theirs.shape != ours.shape:
                raise ScorerError(
                    f"the {name} of {file.name} is {theirs.shape}, expected {ours.shape}"
                )
            difference = float(np.abs(theirs - ours).max())
            accepted = TOLERANCE
            if name != "score":  # the noise that is shown here may drive places far beyond 1
                accepted *= max(1.0, float(np.abs(ours).max()))
            if not difference <= accepted:
                raise ScorerError(
                    f"onnxruntime and torch differ by {difference:.2g} in the {name} at batch size "
                    f"{batch}; at most {accepted:.2g} is accepted, so nothing was exported"
                )
            worst = max(worst, difference)
    return worst


def _given(
    shipped: Shipped, image: Tensor, generator: torch.Generator | None = None
) -> dict[str, Tensor]:
    """The model's inputs by name; landmarks are drawn at random."""
    if not shipped.guided:
        return {"image": image}
    return {
        "image": image,
        "landmarks": torch.randn(len(image), LANDMARK_SIZE, generator=generator),
    }


@contextmanager
def _whole_or_nothing(folder: Path) -> Iterator[Path]:
    """A folder to fill, which takes its name only when all went well."""
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
    except OSError as error:
        raise UsageError(f"cannot make the folder {folder}: {error.strerror or error}") from error
    try:
        yield partial
        if folder.exists():
            folder.rmdir()  # empty: `export_run` has looked
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _figures(judged: Evaluation) -> dict[str, Figure]:
    """The intervals of an evaluation that are numbers, to six decimals."""
    out = {}
    for field in fields(judged):
        value = getattr(judged, field.name)
        if isinstance(value, Interval) and np.isfinite([value.value, value.low, value.high]).all():
            ends = (round(end, 6) for end in (value.value, value.low, value.high))
            out[field.name] = Figure(*ends)
    return out


def _data(run: Run) -> Data:
    """What the run's settings say of data, command and commit."""
    lists = run.settings.get("data", [])
    trained_on = ", ".join(f"{one['manifest']} ({one['pictures']} pictures)" for one in lists)
    command, commit = (str(run.settings.get(key, "unknown")) for key in ("command", "commit"))
    return Data(trained_on or "unknown", command, commit)
