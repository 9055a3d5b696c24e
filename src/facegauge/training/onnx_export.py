"""A network as ONNX: what ships, how it is traced, and the check against torch."""

from __future__ import annotations

import copy
import json
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from facegauge.errors import ScorerError
from facegauge.faces.landmarks import LANDMARK_SIZE, MIRROR_ORDER
from facegauge.faces.spec import PreprocessSpec
from facegauge.nn.heatmap import network_outputs
from facegauge.nn.onnx_state import RUN_KEY, is_rounded, parse_model, read_state
from facegauge.nn.predictor import landmark_size, uses_landmarks, uses_size
from facegauge.onnx_runtime import import_onnxruntime
from facegauge.training.onnx_graph import compact
from facegauge.zoo.onnx_model import SPEC_KEY

if TYPE_CHECKING:
    import onnx

OPSET = 17
TOLERANCE = 1e-5
BATCHES = (1, 2, 5)
PREFIX = "shipped.network."  # of the network's tensors in a traced graph


class Shipped(nn.Module):
    """The network as it ships: its score (N,), over the mirrored picture too if asked.

    Attributes:
        uses_landmarks: whether it also takes landmarks, (N, landmark_size), see `faces.guide`.
        uses_size: whether it also takes sizes, (N, 1), see `faces.guide`.
    """

    def __init__(self, network: nn.Module, flip: bool) -> None:
        super().__init__()
        self.network, self.flip = network, flip
        self.uses_landmarks, self.uses_size = uses_landmarks(network), uses_size(network)
        self.landmark_size = landmark_size(network)

    def forward(self, image: Tensor, *guide: Tensor) -> Tensor:
        """(N, 3, H, W), normalised, to (N,)."""
        score: Tensor = self.network(image, *guide)
        if self.flip:
            score = (score + self.network(image.flip(3), *map(_mirrored, guide))) / 2
        return score.reshape(-1)

    def outputs(self, image: Tensor, *guide: Tensor) -> dict[str, Tensor]:
        """The score (N,) and whatever maps (N, h, w) the network has, by name."""
        found = network_outputs(self.network, image, *guide)
        if not self.flip:
            return found
        mirrored = network_outputs(self.network, image.flip(3), *map(_mirrored, guide))
        return {
            name: (value + (mirrored[name].flip(2) if value.ndim > 1 else mirrored[name])) / 2
            for name, value in found.items()
        }


def _mirrored(guide: Tensor) -> Tensor:
    """`mirror_landmarks` on a batch, (N, 10), without numpy, so that it can be exported.

    Sizes (N, 1) and the numbers of dense landmarks stay as they are.
    """
    if guide.shape[1] != LANDMARK_SIZE:
        return guide
    places = guide.view(-1, 5, 2)[:, list(MIRROR_ORDER)]
    return (places * places.new_tensor([-1.0, 1.0])).flatten(1)


class _Traced(nn.Module):
    """All that ships, as the tuple that the exporter takes."""

    def __init__(self, shipped: Shipped) -> None:
        super().__init__()
        self.shipped = shipped

    def forward(self, image: Tensor, *guide: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.shipped.outputs(image, *guide).values())


def write_onnx(
    shipped: Shipped,
    spec: PreprocessSpec,
    file: Path,
    *,
    run: dict[str, Any] | None = None,
    half: bool = True,
) -> None:
    """Write a network in eval mode, with the maps that it has, as one ONNX file.

    Args:
        run: described in the metadata beside the spec, so that training can continue from the
            file: `system`, `network` (its configuration) and `settings`.
        half: store weights in half precision where `nn.onnx_state.stored_dtype` allows it.
    """
    from onnx import helper

    model = _traced(shipped, spec)
    state = {name: value.cpu().numpy() for name, value in shipped.network.state_dict().items()}
    model = compact(model, state, half=half)
    described = {SPEC_KEY: spec.to_json()}
    if run is not None:
        described[RUN_KEY] = json.dumps(run)
    helper.set_model_props(model, described)
    file.write_bytes(model.SerializeToString(deterministic=True))


def _traced(shipped: Shipped, spec: PreprocessSpec) -> onnx.ModelProto:
    """The graph, its initializers named as in the network's `state_dict` and listed as inputs.

    The exporter that traces is used: the newer one needs onnxscript, and these networks have no
    control flow. Its example has a batch of 2, so that no batch size of 1 is built in. Without
    constant folding the weights stay as they are; as inputs, equal ones are not merged.
    """
    given = _given(shipped, torch.zeros(2, 3, spec.height, spec.width))
    with torch.inference_mode():
        outputs = list(shipped.eval().outputs(*given.values()))
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        file = Path(folder) / "traced.onnx"
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Traced(shipped).eval(),
            tuple(given.values()),
            str(file),
            input_names=list(given),
            output_names=outputs,
            dynamic_axes={name: {0: "faces"} for name in (*given, *outputs)},
            opset_version=OPSET,
            do_constant_folding=False,
            keep_initializers_as_inputs=True,
            dynamo=False,
        )
        model = parse_model(file.read_bytes())
    for node in model.graph.node:
        node.input[:] = [name.removeprefix(PREFIX) for name in node.input]
    for named in (*model.graph.initializer, *model.graph.input):
        named.name = named.name.removeprefix(PREFIX)
    return model


def read_shipped(shipped: Shipped, file: Path) -> Shipped:
    """The same network with the weights that a file holds, as they were rounded for it.

    Raises:
        ScorerError: a weight is missing, or differs by more than rounding explains.
    """
    out = copy.deepcopy(shipped)
    found = read_state(parse_model(file.read_bytes()), out.network)
    for name, values in shipped.network.state_dict().items():
        if name not in found or not is_rounded(found[name].numpy(), values.numpy()):
            raise ScorerError(
                f"{name} in {file.name} is not the network's, rounded, so nothing was exported"
            )
    out.network.load_state_dict(found)
    return out.eval()


def check_onnx(shipped: Shipped, spec: PreprocessSpec, file: Path) -> float:
    """The largest difference between torch and onnxruntime, at several batch sizes.

    Torch computes with the weights that the file holds, which are what ships.

    Raises:
        ScorerError: it is above `TOLERANCE`; for a map with places beyond 1, above that share of
            the largest.
    """
    onnxruntime = import_onnxruntime()

    shipped = read_shipped(shipped, file)
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
    """The model's inputs by name; landmarks and sizes are drawn at random."""
    if shipped.uses_size:
        return {"image": image, "size": torch.randn(len(image), 1, generator=generator)}
    if not shipped.uses_landmarks:
        return {"image": image}
    return {
        "image": image,
        "landmarks": torch.randn(len(image), shipped.landmark_size, generator=generator),
    }
