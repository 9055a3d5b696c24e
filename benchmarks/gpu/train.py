"""Train teachers on one GPU and distil small scorers from them, within a time.

    python benchmarks/gpu/train.py runs/pack -o runs/gpu --minutes 12

`pack.py` makes the pack. Every teacher and student learns photos and crops as in `train photos`;
views are made on the GPU. The first student, as it is packed, guides the teachers, and these guide
the students: who guides scores what has no label, and says which share of its score a degraded
copy keeps. Each validation that is the best so far leaves a run folder in the output at once.
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import math
import shlex
import sys
import tempfile
import time
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any


def unpack_wheels(pack: Path) -> None:
    """Make wheels of the pack importable; what is installed already comes first."""
    site = tempfile.mkdtemp()
    for wheel in sorted(pack.glob("wheels/*.whl")):
        with zipfile.ZipFile(wheel) as opened:
            opened.extractall(site)
    sys.path.append(site)


if __name__ == "__main__" and len(sys.argv) > 1:
    unpack_wheels(Path(sys.argv[1]))

import numpy as np  # noqa: E402
import torch  # noqa: E402
from lesson import SOURCES, Lesson, Material, Pictures, Steps  # noqa: E402
from PIL import Image  # noqa: E402
from torch import nn  # noqa: E402

from facegauge.evaluation.metrics import challenge  # noqa: E402
from facegauge.nn.checkpoints import load_run, provenance, save_run  # noqa: E402
from facegauge.nn.predictor import predict_views  # noqa: E402
from facegauge.nn.regressor import Regressor  # noqa: E402
from facegauge.nn.sized import SizedRegressor  # noqa: E402
from facegauge.results import Box  # noqa: E402
from facegauge.training.config import apply_overrides, load_preset, to_dict  # noqa: E402
from facegauge.training.devices import this_process  # noqa: E402
from facegauge.training.fit import fit  # noqa: E402
from facegauge.training.fit_state import Figures  # noqa: E402
from facegauge.training.inputs.pictures import sampled, sizes  # noqa: E402
from facegauge.training.inputs.views import Framed  # noqa: E402
from facegauge.training.methods.photos.config import PhotosConfig  # noqa: E402
from facegauge.training.methods.photos.recipe import fit_correction, told_size  # noqa: E402
from facegauge.training.rehearsal import seconds_per_step  # noqa: E402

SETTINGS = [
    *("batch.photos=32", "batch.unlabelled_photos=48", "batch.crops=64", "batch.unlabelled=96"),
    *("batch.pool=64", "fit.lr=6e-4", "fit.ema_decay=0.998", "workers=0"),
]
TINY = [
    *("input.width=48", "input.height=60", "fit.steps=4", "fit.warmup=0", "fit.validate_every=2"),
    *("batch.photos=4", "batch.unlabelled_photos=2", "batch.crops=6", "batch.unlabelled=2"),
    *("batch.pool=4", "fit.precision=fp32"),
]
FEW = 48  # pictures of a source, with --tiny
VALIDATIONS = 10  # of a network
RESERVE = 20.0  # seconds, kept at the end
LABEL_SHARE = 0.5  # of the label against the teachers' score, for students
SOME = 500  # photos whose features standardise those that sizes are estimated from

logger = logging.getLogger("facegauge.gpu")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pack", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True, help="run folders as they come")
    parser.add_argument("--work", type=Path, help="unfinished training; default: a temporary one")
    parser.add_argument("--minutes", type=float, default=12.0, help="for all, reading included")
    parser.add_argument("--teachers", nargs="+", default=["efficientnet_lite2", "mobile"])
    parser.add_argument("--students", nargs="+", default=["mobile", "efficient"])
    parser.add_argument("--set", action="append", default=[], help="as for train photos")
    parser.add_argument("--tiny", action="store_true", help="a few steps of small networks")
    options = parser.parse_args(arguments)

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    deadline = time.monotonic() + 60 * options.minutes - RESERVE
    pairs = [*SETTINGS, *(TINY if options.tiny else []), *options.set]
    config = apply_overrides(load_preset("photos", "cpu"), pairs)
    train, val = read_pack(options.pack, FEW if options.tiny else None)
    work = options.work or Path(tempfile.mkdtemp())
    jobs = [*(("teacher", name) for name in options.teachers),
            *(("student", name) for name in options.students)]  # fmt: skip
    words = sys.argv[1:] if arguments is None else arguments
    made = {
        **to_dict(config),
        **provenance(),
        "command": shlex.join(["python", "benchmarks/gpu/train.py", *words]),
        "data": json.loads((options.pack / "data.json").read_text()),
    }
    material, judge = Material(train, config), Judge(train["photos"], val, config, made)
    guides: list[nn.Module] = [load_run(options.pack / options.students[0]).network]
    teachers: list[nn.Module] = []
    for place, (role, name) in enumerate(jobs):
        if role == "student":
            guides = teachers
        share = (deadline - time.monotonic()) / (len(jobs) - place)
        until = math.inf if options.tiny else time.monotonic() + share
        network = first_weights(options.pack, name, train, config)
        lesson = Lesson(material, guides, config, 1.0 if role == "teacher" else LABEL_SHARE)
        judge.begin(options.output / name if role == "student" else None, until)
        best = taught(network, lesson, judge, work / f"{role}-{name}", config)
        if role == "teacher":
            teachers.append(best)
        note(options.output, f"{role} {name}", judge.best)


def read_pack(pack: Path, few: int | None = None) -> tuple[Pictures, Pictures]:
    """Pictures of train and of val by source; a frame that is no whole picture has a known size."""
    with np.load(pack / "pictures.npz") as found:
        columns = {name: found[name] for name in found.files}
    rows = [
        row
        for number in range(len(SOURCES))
        for val in (False, True)
        for row in np.flatnonzero((columns["source"] == number) & (columns["val"] == val))[:few]
    ]
    ends = [0, *columns["ends"].tolist()]

    def opened(row: int) -> Framed:
        blob = columns["blobs"][ends[row] : ends[row + 1]].tobytes()
        pixels, score = np.asarray(Image.open(io.BytesIO(blob))), float(columns["score"][row])
        box = Box(*columns["frame"][row].tolist())
        return Framed(pixels, box, None if np.isnan(score) else score)

    train: Pictures = {name: [] for name in SOURCES}
    val: Pictures = {"photos": [], "crops": []}
    with ThreadPoolExecutor() as pool:
        for row, one in zip(rows, pool.map(opened, rows), strict=True):
            (val if columns["val"][row] else train)[SOURCES[columns["source"][row]]].append(one)
    return train, val


def first_weights(pack: Path, name: str, train: Pictures, config: PhotosConfig) -> SizedRegressor:
    """A scorer of the pack, or a backbone with the pack's weights, which is told sizes."""
    if (pack / name).is_dir():
        found = load_run(pack / name).network
        assert isinstance(found, Regressor)
    else:
        torch.manual_seed(config.fit.seed)
        labels = [one.score for one in train["crops"] if one.score is not None]
        found = Regressor(name, "all", float(np.mean(labels)))
        if (pack / f"{name}.pth").is_file():
            found.load_pretrained(pack / f"{name}.pth")
        else:
            logger.warning("no weights of %s in the pack: it starts from random ones", name)
    return told_size(found, train["photos"][:SOME], config.input.spec)


def taught(
    network: SizedRegressor, lesson: Lesson, judge: Judge, folder: Path, config: PhotosConfig
) -> nn.Module:
    """Train a network as long as the judge allows; what the judge found best, the start included.

    With an open end, it takes the steps that the settings say.
    """
    plan = config.fit
    if math.isfinite(judge.until):
        seconds = seconds_per_step(deepcopy(network), lesson, Steps, plan, 0)
        began = time.monotonic()
        judge(network.to(this_process().device))
        left = judge.until - time.monotonic() - VALIDATIONS * (time.monotonic() - began)
        steps = max(VALIDATIONS, int(0.95 * left / seconds))
        logger.info("%s: %d steps of %.3f s", folder.name, steps, seconds)
        every = -(-steps // VALIDATIONS)
        plan = replace(plan, steps=steps, warmup=min(plan.warmup, steps // 5),
                       validate_every=every, save_every=every)  # fmt: skip
    with suppress(OutOfTime):
        fit(network, lesson, Steps, validate=judge, folder=folder, config=plan, workers=0)
    return judge.found or network


class OutOfTime(Exception):
    """A network's share of the time is over."""


class Judge:
    """Figures on val, of photos and crops; a best network is written into its folder.

    Attributes:
        best, found: figures of the best network so far, and the network, corrected by size.
    """

    def __init__(
        self, photos: list[Framed], val: Pictures, config: PhotosConfig, made: dict[str, Any]
    ) -> None:
        self.photos, self.spec, self.made = photos, config.input.spec, made
        self.held = {
            name: (sampled(some, self.spec), sizes(some, self.spec), [one.score for one in some])
            for name, some in val.items()
        }
        self.begin(None, 0.0)

    def begin(self, folder: Path | None, until: float) -> None:
        """A new network, written into `folder`; `until` a moment of the monotonic clock."""
        self.folder, self.until, self.best = folder, until, dict[str, float]()
        self.found: nn.Module | None = None

    def __call__(self, network: nn.Module) -> Figures:
        assert isinstance(network, SizedRegressor)
        corrected = deepcopy(network).eval()
        fit_correction(corrected, self.photos, self.spec)
        figures = {
            name: challenge(predict_views(corrected, self.spec, views, told), labels)
            for name, (views, told, labels) in self.held.items()
        }
        figures["val_score"] = sum(figures.values()) / len(figures)
        if figures["val_score"] > self.best.get("val_score", -1.0):
            self.best, self.found = figures, corrected
            if self.folder is not None:
                save_run(self.folder, system="photos", network=corrected, config=corrected.config,
                         spec=self.spec, settings=self.made)  # fmt: skip
        elif time.monotonic() > self.until:
            raise OutOfTime
        return figures


def note(folder: Path, name: str, figures: Figures) -> None:
    """Print figures on val, and keep them in `results.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "results.json"
    known = json.loads(file.read_text()) if file.exists() else {}
    known[name] = {key: round(value, 4) for key, value in figures.items()}
    file.write_text(json.dumps(known, indent=1) + "\n")
    logger.info("%s: %s", name, known[name])


if __name__ == "__main__":
    main()
