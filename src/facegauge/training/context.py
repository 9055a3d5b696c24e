"""What the steps of every recipe share: the settings, the pictures, validation, the run folder."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset

from facegauge.data.leakage import refuse_leaks, without_leaks
from facegauge.data.manifests import Manifest
from facegauge.errors import UsageError
from facegauge.faces.detection_cache import CachedDetector
from facegauge.faces.spec import PreprocessSpec
from facegauge.labelling.label import label_into
from facegauge.labelling.label_table import load_labels
from facegauge.nn.checkpoints import find_run, provenance, save_run
from facegauge.nn.pretrained import fetch_imagenet
from facegauge.nn.regressor import Regressor
from facegauge.predictors import Predictor
from facegauge.progress import in_words, track
from facegauge.training.config import to_dict
from facegauge.training.devices import from_main, log_from_main_process, this_process
from facegauge.training.fit import Validate, fit
from facegauge.training.held_out import check_labels
from facegauge.training.init_from import anchored, check_sources, imagenet_backbones, is_pretrained
from facegauge.training.inputs.picture_file import PictureFile
from facegauge.training.inputs.pictures import load_framed
from facegauge.training.inputs.shares import in_steps
from facegauge.training.inputs.views import Batch, Framed, ViewMaker
from facegauge.training.rehearsal import LONG, current, seconds_per_step
from facegauge.training.run_folder import check_folder, processes_at_first, take_folder
from facegauge.training.settings import (
    FitConfig,
    MethodConfig,
    NetworkConfig,
    PseudoLabelConfig,
)
from facegauge.training.validation import make_validation

PIXELS = "pictures.rgb"  # in the run folder, while it is trained

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TrainingContext:
    """One run of a recipe.

    Attributes:
        config: the run's settings.
        record: what runs on what: command, commit and lists of pictures, for cards.
        maker: views of the labelled pictures, then of the unlabelled ones.
        val: the labelled pictures that choose weights.
        val_pictures: the same, framed.
        pictures: holds the pixels of all pictures, for all processes.
        validate: a network's figures on them.
        mean_label: where every head's bias begins.
        out: the run folder.
        lock: keeps other processes from the run folder, while there is a context of it.
        processes: that the run began with.
    """

    config: MethodConfig
    record: dict[str, Any]
    maker: ViewMaker
    val: Manifest
    val_pictures: Sequence[Framed]
    pictures: PictureFile
    validate: Validate
    mean_label: float
    out: Path
    lock: BinaryIO | None = None
    processes: int = 1

    def for_network(
        self, spec: PreprocessSpec, pictures: Sequence[Framed] | None = None
    ) -> TrainingContext:
        """The same run for a network that sees `spec` and, if given, learns from other pictures."""
        same = spec == self.maker.spec
        pictures = self.maker.pictures if pictures is None else pictures
        return replace(
            self,
            maker=ViewMaker(pictures, spec, self.maker.config),
            validate=self.validate if same else make_validation(self.val_pictures, spec),
        )

    def recorded(self, **more: Any) -> TrainingContext:
        """The same run, with more in its record."""
        return replace(self, record={**self.record, **more})

    def build_network(self, network: NetworkConfig, *, seed: int, member: str = "") -> Regressor:
        """A network with its first weights: random ones, a backbone's, or a trained network.

        A trained network keeps its own depths and head.

        Args:
            seed: of random weights.
            member: the network's name, if it belongs to an ensemble; see `load_pretrained`.
        """
        torch.manual_seed(seed)
        if is_pretrained(network.init_from):
            return load_pretrained(network.init_from, network.backbone, member)
        built = Regressor(network.backbone, network.depths, self.mean_label, network.head)
        if network.init_from:
            built.load_pretrained(network.init_from)
        return built

    def fit(
        self,
        name: str,
        network: nn.Module,
        objective: nn.Module,
        batches: Callable[..., Dataset[Batch]],
        config: FitConfig,
        *,
        system: str,
    ) -> None:
        """Train into the run folder `out/name`; a finished part is loaded and left as it is.

        With neither steps nor epochs the network stays as it is, and there is no folder. Either way
        it is then on the run's device, where the next step wants it.

        Args:
            network: with an attribute `config`, see `nn.build.build`.
            batches: steps, seed, rank and world, by name, -> the batch of every step.
            system: what the part is, for its run folder.
        """
        network.to(this_process().device)
        if not config.trains:
            return
        config = in_steps(config, batches, self.processes)
        folder, rehearsal = self.out / name, current()
        if rehearsal is not None:
            rehearsal.fit(
                *(name, network, objective, batches),
                validate=self.validate,
                config=config,
                workers=self.config.workers,
            )
            return
        if config.steps >= LONG and not folder.exists() and this_process().num_processes == 1:
            workers = self.config.workers
            a_step = seconds_per_step(deepcopy(network), objective, batches, config, workers)
            logger.info(
                "training %s: %d steps take about %s, without validations",
                *(name, config.steps, in_words(config.steps * a_step)),
            )
        fit(
            network,
            objective,
            batches,
            validate=self.validate,
            folder=folder,
            config=config,
            workers=self.config.workers,
            processes=self.processes,
        )
        if not (folder / "run.json").exists():
            self.save(name, system, network)

    def pseudo_labelled(
        self,
        table: Path,
        teacher: Predictor,
        pictures: Manifest,
        faces: str,
        config: PseudoLabelConfig,
    ) -> tuple[list[Framed], tuple[Path, ...]]:
        """Pictures with a teacher's labels, and their files; resumed, if begun.

        Of several processes the main one labels, and the others wait.

        Args:
            table: the pseudo-labels are kept there; on the labels' scale by a curve fitted to val.
            faces: as for `load_framed`.
        """
        rehearsal = current()
        if rehearsal is not None:
            rehearsal.label(table.stem, teacher, pictures, faces=faces, views=config.views)
            guessed = replace(pictures, scores=np.full(len(pictures), self.mean_label))
            return self.load(guessed, faces), pictures.paths
        if this_process().is_main_process:
            label_into(
                table,
                teacher,
                pictures,
                faces=faces,
                views=config.views,
                held_out=self.val,
                detector=CachedDetector(self.out),
                resume=True,
                progress=lambda labels, left: track(labels, "labelling", total=len(left)),
            )
        this_process().wait_for_everyone()
        labelled, weights = load_labels(table)
        found = self.load(labelled, faces)
        if config.sample_weight:
            pairs = zip(found, weights.tolist(), strict=True)
            found = [replace(one, sample_weight=weight) for one, weight in pairs]
        return found, labelled.paths

    def load(self, pictures: Manifest, faces: str, *, landmarks: bool = False) -> list[Framed]:
        """The framed pictures, see `read_pictures`."""
        spec = self.maker.spec
        return read_pictures(pictures, spec, faces, points=landmarks, into=self.pictures)

    def save(self, name: str, system: str, network: nn.Module) -> None:
        """Write a network, with an attribute `config`, as the run folder `out/name`."""
        if this_process().is_main_process:
            described: Any = network.config
            save_run(
                self.out / name,
                system=system,
                network=network,
                config=described,
                spec=self.maker.spec,
                settings={**to_dict(self.config), **self.record},
            )


def begin_run(
    config: MethodConfig,
    data: Manifest,
    unlabelled: Sequence[Manifest],
    out: Path,
    *,
    spec: PreprocessSpec,
    resume: bool = False,
    allow_leakage: bool = False,
    landmarks: bool = False,
    faces: str = "whole",
) -> TrainingContext:
    """Check what can be checked, take the run folder into use and read the pictures.

    Args:
        data: labelled pictures, framed as the labels saw them, with splits train and val.
        unlabelled: more faces, whose scores, if they have any, are left aside; with a split column,
            only their train rows.
        spec: what the networks see, at first.
        resume: continue with what `out` holds.
        allow_leakage: train although splits share pictures or people, and on unlabelled pictures
            that val has too. Otherwise the first are refused and the second left out.
        landmarks: find the labelled faces' five points, for networks that take them.
        faces: of the labelled pictures, as for `load_framed`.

    Raises:
        UsageError: a network to start from is not there; leaks between the splits; no labels, no
            train or val rows; or `out` is in use and `resume` is off.
    """
    log_from_main_process()
    check_sources(config)
    config = anchored(config)
    data.labels()
    train, val = data.where(split="train"), data.where(split="val")
    check_labels(data)
    check_folder(config, out, resume)
    processes = processes_at_first(config, out)
    more = [part if part.splits is None else part.where(split="train") for part in unlabelled]
    leaks = refuse_leaks(data, allow=allow_leakage)
    if not allow_leakage:
        more = [without_leaks(part, [val]) for part in more]
    fetch_weights(config)
    lock = take_folder(config, out)
    into = PictureFile(out / PIXELS, fresh=this_process().is_main_process)
    read = partial(read_pictures, spec=spec, into=into)
    pictures = read(train, faces=faces, points=landmarks)
    mean_label = float(np.mean([p.score for p in pictures if p.score is not None]))
    rehearsal = current()
    if rehearsal is not None:
        val = rehearsal.shortened(val)
    for manifest in more:
        pictures += read(replace(manifest, scores=None), faces="auto")
    val_pictures = read(val, faces=faces, points=landmarks)
    if this_process().is_main_process:
        count = len(pictures)
        logger.info(
            "%d pictures to train on, %d in val; decoded and cut, %.2f GB in the run folder",
            *(count, len(val_pictures), into.size / 1e9),
        )
    if rehearsal is not None:
        rehearsal.pictures = len(pictures)
        rehearsal.pixels = into
    return TrainingContext(
        config=config,
        record={
            **provenance(),
            "data": describe([train, *more]),
            **({"leaks": leaks} if leaks else {}),
        },
        maker=ViewMaker(pictures, spec, config.views),
        val=val,
        val_pictures=val_pictures,
        pictures=into,
        validate=make_validation(val_pictures, spec, landmarks=landmarks),
        mean_label=mean_label,
        out=out,
        lock=lock,
        processes=processes,
    )


def read_pictures(
    pictures: Manifest,
    spec: PreprocessSpec,
    faces: str,
    *,
    into: PictureFile,
    points: bool = False,
) -> list[Framed]:
    """The framed pictures, see `load_framed`, with their pixels in a file.

    Of several processes the main one reads them, and the others wait. Faces that were found earlier
    in the run are not searched again.
    """

    def read() -> list[Framed]:
        known = CachedDetector(into.path.parent)
        return load_framed(pictures, spec, faces, points=points, detector=known, into=into)

    return from_main(read)


def fetch_weights(config: MethodConfig) -> None:
    """Fetch all ImageNet weights that the run will need, before its first step.

    Raises:
        UsageError: they cannot be fetched.
    """
    if this_process().is_main_process:
        for backbone in imagenet_backbones(config):
            logger.info("fetching ImageNet weights of %s, unless they are there", backbone)
            fetch_imagenet(backbone)
    this_process().wait_for_everyone()


def load_pretrained(
    name_or_folder: str, backbone: str | None = None, member: str = ""
) -> Regressor:
    """A network that was trained before; of an ensemble, its member with that backbone.

    Args:
        name_or_folder: a shipped scorer's name, a scorer folder with weights or a run folder.
        backbone: None takes any.
        member: which of several members with that backbone; otherwise the first.

    Raises:
        UsageError: there is none with that backbone.
    """
    run = find_run(name_or_folder)
    networks = [*run.members.values()] or [run.network]
    if member in run.members:
        networks.insert(0, run.members[member])
    there = [network for network in networks if isinstance(network, Regressor)]
    for network in there:
        if backbone in (None, network.backbone):
            return network
    held = " and ".join(network.backbone for network in there) or f"a {run.system} network"
    raise UsageError(
        f"cannot start from {name_or_folder}: it holds {held}, not {backbone or 'a regressor'}"
    )


def describe(manifests: Iterable[Manifest]) -> list[dict[str, Any]]:
    """What was trained on, for cards: lists, and how many pictures of each; see also `joined`."""
    names = [
        name for one in manifests for name in one.groups.get("manifest", [one.name] * len(one))
    ]
    return [{"manifest": name, "pictures": count} for name, count in Counter(names).items()]
