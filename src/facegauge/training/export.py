"""A run folder to a scorer folder: one ONNX file, checked against torch, and its card."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from facegauge import zoo
from facegauge.data.leakage import counted
from facegauge.data.manifests import Manifest
from facegauge.errors import UsageError
from facegauge.evaluation.calibration import fit_calibration
from facegauge.evaluation.card import card_figures, judged_on, on_photos
from facegauge.evaluation.predictions import predict_with
from facegauge.faces.spec import PreprocessSpec
from facegauge.nn.build import build
from facegauge.nn.checkpoints import Run
from facegauge.nn.predictor import TorchPredictor
from facegauge.nn.profile import profile_network
from facegauge.outputs import check_new_folder, whole_folder
from facegauge.training.held_out import check_labels
from facegauge.training.onnx_export import Shipped, check_onnx, read_shipped, write_onnx
from facegauge.zoo import Card, Cost, Data, Validation, card_to_toml

logger = logging.getLogger(__name__)

WHOLE = "whole"  # pictures are framed faces
MAX_MOVE = 1e-3  # of a score, by half precision

Scores = npt.NDArray[np.float64]


def export_run(
    run: Run,
    folder: str | Path,
    *,
    name: str,
    data: Manifest,
    photos: Manifest | None = None,
    faces: str | None = None,
    flip: bool = False,
    label_name: str = "",
    licence: str = "",
    summary: str = "",
    version: str = "",
    same_as: Sequence[str] = (),
) -> Card:
    """Write a scorer folder: `model.onnx` and `card.toml`.

    The model (opset 17, any batch size) has the input `image` and, for a network that uses them,
    `landmarks` (N, 10) or `size` (N, 1), see `faces.guide`; the output `score` and the maps that
    the network has, `heat_map` among them. Its metadata hold the spec and a description of the
    network and its training, so that training can continue from the file. Weights are stored in
    half precision, or in float32 if that moved the score of a val picture by 0.001 or more. The
    figures of the card are those of the stored weights on the val split of `data`; percentiles
    refer to the labels of its train split.

    Args:
        data: labelled, with the splits train and val.
        photos: labelled photos at their own size, with a val split. The card then also has figures
            on their val split, read as `auto` reads them; their scores are what percentiles refer
            to, and the interval is fitted to them; pictures that are taken whole keep an interval
            of their own, fitted to `data`.
        faces: how the pictures of `data` are read: "whole", or "auto", which leaves out those
            without a face; by default as the run read its own, which is "whole" unless it says
            otherwise.
        flip: average over the mirrored picture, inside the model; doubles the cost. No effect on
            an ensemble that does so already.
        label_name: what the labels are called in the card; by default what the run says of them.
        licence: in words; by default that of the scorer from which a fine-tuned one started.
        summary: one or two sentences for people.
        version: of the scorer, for the card.
        same_as: sha256 of earlier models of this scorer whose scores agree within 0.001.

    Returns:
        The card.

    Raises:
        UsageError: `folder` is in use or cannot be made; no train or val rows, no labels or too
            few; a val picture cannot be read, or the scores on val have no spread.
        ScorerError: onnxruntime and torch differ by more than 1e-5. Nothing is left behind.
    """
    folder = Path(folder).resolve()
    check_new_folder(folder, "scorer")
    data.labels()
    check_labels(data, ["val"])
    train, val = data.where(split="train"), data.where(split="val")
    reader = Reader(run.spec, val, faces or str(run.settings.get("faces", WHOLE)))
    label_name = label_name or str(run.settings.get("label_name", "label"))
    licence = licence or str(run.settings.get("licence", "not stated"))
    shipped, config = _shipped(run, flip)
    described = {
        "system": run.system, "network": config, "settings": without_folders(run.settings),
    }  # fmt: skip

    with whole_folder(folder) as partial:  # made now: it may be refused
        model = partial / zoo.MODEL
        scores, labels = _write_rounded(shipped, reader, model, described)
        judged = judged_on(scores, labels, "val")
        cost = profile_network(shipped, run.spec, runs=0)
        size = f"{run.spec.width}x{run.spec.height}"
        card = Card(
            name=name,
            version=version,
            system=run.system,
            summary=summary or f"{run.system}, trained with facegauge.",
            licence=licence,
            sha256=hashlib.sha256(model.read_bytes()).hexdigest(),
            same_as=tuple(same_as),
            cost=Cost(round(cost.parameters / 1e6, 6), round(cost.gflops, 4), size),
            data=_data(run),
            val=Validation(len(labels), label_name, card_figures(judged)),
            calibration=fit_calibration(
                scores, labels, train.labels(), f"{label_name}s of the train split"
            ),
        )
        if photos is not None:
            stored = TorchPredictor("exported", read_shipped(shipped, model), run.spec)
            whole = (scores, labels) if reader.faces == WHOLE else None
            card = on_photos(card, stored, photos, whole=whole)
        (partial / zoo.CARD).write_text(card_to_toml(card), encoding="utf-8")
    return card


def _shipped(run: Run, flip: bool) -> tuple[Shipped, dict[str, Any]]:
    """The network that ships, on the CPU, and its configuration."""
    config = dict(run.config)
    if not flip or config.get("flip", False):
        return Shipped(run.network, False).cpu().eval(), config
    if "flip" not in config:
        return Shipped(run.network, True).cpu().eval(), config
    config["flip"] = True  # an ensemble does it itself
    network = build(config)
    network.load_state_dict(run.network.state_dict())
    return Shipped(network, False).cpu().eval(), config


def _write_rounded(
    shipped: Shipped, reader: Reader, file: Path, described: dict[str, Any]
) -> tuple[Scores, Scores]:
    """Write the model, in half precision if the scores on val allow it; these and the labels."""
    spec = reader.spec
    exact, labels = reader.scores(shipped)
    write_onnx(shipped, spec, file, run=described)
    scores, _ = reader.scores(read_shipped(shipped, file))
    moved = float(np.abs(scores - exact).max())
    logger.info("half precision moves a score on val by %.5f at most", moved)
    if not moved < MAX_MOVE:
        logger.info("the weights are stored in float32: a move below %s is accepted", MAX_MOVE)
        write_onnx(shipped, spec, file, run=described, half=False)
        scores = exact
    check_onnx(shipped, spec, file)
    return scores, labels


@dataclass(frozen=True, slots=True)
class Reader:
    """The pictures of val, and how they are read.

    Attributes:
        spec: of the network.
        val: labelled pictures.
        faces: "whole" or "auto".
    """

    spec: PreprocessSpec
    val: Manifest
    faces: str

    def scores(self, shipped: Shipped) -> tuple[Scores, Scores]:
        """A network's scores (N,), and the labels of the pictures that have one.

        Raises:
            UsageError: a picture cannot be read, or not one has a face.
        """
        found = predict_with(TorchPredictor("exported", shipped, self.spec), self.val, self.faces)
        scored = np.isfinite(found.scores)
        if not scored.all() and (self.faces == WHOLE or not scored.any()):
            row, why = next(iter(found.unscored.items()))
            raise UsageError(f"cannot score {self.val.paths[row]}: {why}")
        if few := int((~scored).sum()):
            logger.info("%d of %d pictures of val have no score", few, len(scored))
        return found.scores[scored], self.val.labels()[scored]


def without_folders(settings: Any) -> Any:
    """Settings with the last two parts of absolute paths: a scorer tells nobody's folders."""
    if isinstance(settings, dict):
        return {key: without_folders(value) for key, value in settings.items()}
    if isinstance(settings, list):
        return [without_folders(value) for value in settings]
    if isinstance(settings, str) and Path(settings).is_absolute():
        return "/".join(Path(settings).parts[-2:])
    return settings


def _data(run: Run) -> Data:
    """What the run's settings say of data, command and commit."""
    lists = run.settings.get("data", [])
    trained_on = ", ".join(f"{one['manifest']} ({one['pictures']} pictures)" for one in lists)
    if leaks := run.settings.get("leaks"):
        trained_on += f"; leaks between train and val, allowed: {counted(leaks)}"
    command, commit = (str(run.settings.get(key, "unknown")) for key in ("command", "commit"))
    return Data(trained_on or "unknown", command, commit)
