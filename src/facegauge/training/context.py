"""What the steps of every recipe share: the settings, the pictures, validation, the run folder."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset

from facegauge.data.manifests import Manifest
from facegauge.faces.detection_cache import CachedDetector
from facegauge.faces.spec import PreprocessSpec
from facegauge.labelling.label import label_into
from facegauge.labelling.label_table import load_labels
from facegauge.nn.checkpoints import save_run
from facegauge.nn.regressor import Regressor
from facegauge.predictors import Predictor
from facegauge.progress import in_words, track
from facegauge.training.config import to_dict
from facegauge.training.devices import from_main, this_process
from facegauge.training.fit import Validate, fit
from facegauge.training.init_from import is_pretrained
from facegauge.training.inputs.picture_file import PictureFile
from facegauge.training.inputs.pictures import load_framed
from facegauge.training.inputs.shares import in_steps
from facegauge.training.inputs.views import Batch, Framed, ViewMaker
from facegauge.training.rehearsal import LONG, current, seconds_per_step
from facegauge.training.settings import FitConfig, MethodConfig, NetworkConfig, PseudoLabelConfig
from facegauge.training.start import load_pretrained
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
