"""Fine-tune a scorer to other labels, beside a refitted curve and ridge on frozen features.

    python benchmarks/finetune.py --data faces/labels.csv --counts 300 3000 --work runs/finetune

The labels of a list are changed in two ways, so that the start has never seen them:

- bent: a monotonic curve and noise. Faces keep their order; only the scale is new.
- brightness: the bent label, lowered in dark pictures. Faces change their order too.

From the train split of the list, pictures are drawn and fine-tuned with their own train and val;
all are judged on the val split of the list, which none of them sees.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from page import RESULTS, Table, name_of, publish
from PIL import Image
from rows import figure, shown

from facegauge.data.datasets import write_manifest
from facegauge.data.manifests import Manifest, load_manifest
from facegauge.data.splitting import split_manifest
from facegauge.evaluation.logistic import fit_logistic
from facegauge.evaluation.metrics import paired_bootstrap, plcc, srcc
from facegauge.evaluation.predictions import predict_with
from facegauge.nn.checkpoints import find_run
from facegauge.nn.curved import Curved
from facegauge.nn.normalise import Normalise
from facegauge.nn.predictor import open_run_predictor
from facegauge.training.config import apply_overrides, load_preset
from facegauge.training.inputs.pictures import load_framed, sampled
from facegauge.training.methods.finetune import recipe

COST = ["run", "kept", "on val", "CPU minutes", "wall minutes"]
NOISE = 0.04  # standard deviation of what is added to a label
PENALTIES = np.logspace(-2, 6, 9)
KINDS = {
    "bent": "a monotonic curve and noise: the order stays",
    "brightness": "the bent label, lowered in dark pictures, and noise: the order changes",
}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="CSV with image, score and split")
    parser.add_argument("--counts", type=int, nargs="+", default=[300, 3000])
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--start", default="mobile")
    parser.add_argument("--work", type=Path, required=True, help="folder for lists and runs")
    parser.add_argument("--set", action="append", default=[], help="as for facegauge finetune")
    parser.add_argument("--name", default="finetune")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)

    whole = load_manifest(options.data)
    judge, pool = whole.where(split="val"), whole.where(split="train")
    tables, costs, frozen = [], [], Frozen(options.start)
    for kind in options.kinds:
        judged = relabelled(judge, kind, seed=1)
        for count in options.counts:
            drawn = relabelled(drawn_from(pool, count), kind, seed=2)
            rows, cost = compared(drawn, judged, frozen, options, f"{kind}-{count}")
            tables.append(
                Table(
                    f"{kind}: {count} labels",
                    ["", "SRCC", "PLCC, raw", "fine-tuned minus this, SRCC", "PLCC"],
                    rows,
                    f"{KINDS[kind].capitalize()}. Judged on {len(judge)} pictures.",
                )
            )
            costs.append([f"{kind}, {count}", *cost])
    tables.append(Table("Cost", COST, costs, "(SRCC + PLCC) / 2 on its own val."))
    publish(
        options.name,
        "Fine-tuning",
        f"`{options.start}`, fine-tuned to changed labels of {name_of(options.data)}. The labels "
        "are challenge labels that were changed by formula, not people's. The start has learned "
        "the original labels of the pictures that are drawn. Intervals: bootstrap 95 %, over "
        "pictures. Fine-tuning divides what is drawn into its own train and val, and chooses on "
        "that val; the curve and the ridge regression are fitted to its train. Ridge regression: "
        "on the start's frozen features, the penalty chosen on the same val.",
        tables,
        options.results,
    )


def drawn_from(pool: Manifest, count: int) -> Manifest:
    """So many pictures, evenly spaced by label, with their own train and val."""
    order = np.argsort(pool.labels(), kind="stable")
    rows = np.sort(order[np.linspace(0, len(order) - 1, count).round().astype(int)])
    return split_manifest(pool.take(rows), seed=0)


def relabelled(data: Manifest, kind: str, seed: int) -> Manifest:
    """The pictures with labels of a kind."""
    rng = np.random.default_rng(seed)
    labels = bent(data.labels())
    if kind == "brightness":
        labels = labels - 0.5 * darkness(data)
    return replace(data, scores=np.clip(labels + NOISE * rng.normal(size=len(labels)), 0, 1))


def bent(labels: np.ndarray) -> np.ndarray:
    """A monotonic curve from 0..1 to 0.15..0.95, steep where most labels are."""
    return 0.15 + 0.8 / (1 + np.exp(-(labels - 0.4) / 0.1))


def darkness(data: Manifest) -> np.ndarray:
    """How far the mean grey of each picture lies below 0.6, at most 0.4: (N,)."""
    means = np.array(
        [np.asarray(Image.open(path).convert("L")).mean() / 255 for path in data.paths]
    )
    return np.clip(0.6 - means, 0, 0.4)


class Frozen:
    """The start with its weights as they are; features are computed once a picture."""

    def __init__(self, name: str) -> None:
        run = find_run(name)
        self.network = run.network.network if isinstance(run.network, Curved) else run.network
        self.spec, self.known = run.spec, {}

    def features(self, data: Manifest) -> np.ndarray:
        """What the head gets of every picture, taken whole: (N, C)."""
        rows = [row for row, path in enumerate(data.paths) if path not in self.known]
        if rows:
            left = data.take(rows)
            views = sampled(load_framed(left, self.spec, "whole"), self.spec)
            normalise = Normalise(self.spec)
            with torch.inference_mode():
                parts = [
                    self.network.embed(normalise(torch.from_numpy(views[first : first + 64])))
                    for first in range(0, len(views), 64)
                ]
            self.known |= dict(zip(left.paths, torch.cat(parts).numpy(), strict=True))
        return np.stack([self.known[path] for path in data.paths]).astype(np.float64)

    def scores(self, data: Manifest) -> np.ndarray:
        """The start's scores (N,), not clipped."""
        with torch.inference_mode():
            features = torch.from_numpy(self.features(data)).float()
            return self.network.score_embedding(features).numpy().astype(np.float64)


def compared(
    data: Manifest, judge: Manifest, frozen: Frozen, options: argparse.Namespace, name: str
) -> tuple[list[list[str]], list[str]]:
    """The rows of one table, and what the fine-tuning cost; kept, for a run that goes on."""
    known = options.work / f"{name}.rows.json"
    if known.exists():
        rows, cost = json.loads(known.read_text())
        return rows, cost
    pairs = [f"start={options.start}", "faces=whole", *options.set]
    config = apply_overrides(load_preset("finetune", "cpu"), pairs)
    options.work.mkdir(parents=True, exist_ok=True)
    listed = options.work / f"{name}.csv"
    if not listed.exists():
        write_manifest(data, listed)
    cpu, wall = cpu_seconds(), time.monotonic()
    figures = recipe.run(config, load_manifest(listed), options.work / name, resume=True)
    minutes = [(cpu_seconds() - cpu) / 60, (time.monotonic() - wall) / 60]
    kept = next(key for key in figures if figures[key] == figures["kept"])

    train, val, truth = data.where(split="train"), data.where(split="val"), judge.labels()
    curve = fit_logistic(frozen.scores(train), train.labels())
    scores = {
        "fine-tuned": predict_with(open_run_predictor(options.work / name), judge).scores,
        "start, curve refitted": np.clip(curve(frozen.scores(judge)), 0, 1),
        "ridge on frozen features": ridge(frozen, train, val, judge),
        "start as it is": np.clip(frozen.scores(judge), 0, 1),
    }
    tuned = scores["fine-tuned"]
    rows = []
    for what, found in scores.items():
        gains = ["", ""]
        if found is not tuned:
            gains = [shown(paired_bootstrap(s, tuned, found, truth), "+") for s in (srcc, plcc)]
        rows.append([what, figure(srcc, found, truth), figure(plcc, found, truth), *gains])
    val_figures = ", ".join(f"{key} {figures[key]['val_score']:.3f}" for key in figures)
    cost = [kept, val_figures, *(f"{each:.1f}" for each in minutes)]
    known.write_text(json.dumps([rows, cost]))
    return rows, cost


def ridge(frozen: Frozen, train: Manifest, val: Manifest, judge: Manifest) -> np.ndarray:
    """What a user would do: ridge regression from the network's last features to the labels."""
    x, v, t = (frozen.features(part) for part in (train, val, judge))
    mean, spread = x.mean(0), x.std(0) + 1e-8
    x, v, t = ((part - mean) / spread for part in (x, v, t))
    middle = train.labels().mean()
    values, vectors = np.linalg.eigh(x.T @ x)
    projected = vectors.T @ (x.T @ (train.labels() - middle))
    weights = [vectors @ (projected / (np.maximum(values, 0) + one)) for one in PENALTIES]
    best = min(weights, key=lambda w: float(((v @ w + middle - val.labels()) ** 2).mean()))
    return np.clip(t @ best + middle, 0, 1)


def cpu_seconds() -> float:
    """CPU time of this process and of those that prepared its batches."""
    return sum(os.times()[:4])


if __name__ == "__main__":
    main()
