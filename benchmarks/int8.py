"""What does a copy of a scorer in int8 gain, and how do its scores differ?

    python benchmarks/int8.py --data crops.csv --photos photos.csv
    python benchmarks/int8.py --data crops.csv --photos photos.csv --scorer mine --copy mine-int8

Scorer and copy score the same labelled pictures: crops taken whole, photos as `auto` reads them.
CPU time is that of the network alone, one picture at a time on one thread; the two take turns.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence

import numpy as np
from page import Table, arguments_for, name_of, publish

from facegauge import zoo
from facegauge.data.manifests import Manifest, load_manifest
from facegauge.evaluation.metrics import plcc, srcc
from facegauge.evaluation.predictions import predict_with
from facegauge.predictors import OnnxPredictor

ROUNDS, EACH = 15, 20


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    pair = [OnnxPredictor(name, threads=1) for name in (options.scorer, options.copy)]
    lists = [("crops, whole", options.data, "whole"), ("photos, auto", options.photos, "auto")]
    rows = [
        compared(what, load_manifest(file).where(split="val"), faces, pair)
        for what, file, faces in lists
        if file is not None
    ]
    columns = [
        "pictures", "n", "SRCC", "of the copy", "PLCC, raw", "of the copy", "mean change",
        "standard deviation", "largest",
    ]  # fmt: skip
    files = " and ".join(name_of(file) for _, file, _ in lists if file is not None)
    intro = (
        f"`{pair[0].name}`, and its copy `{pair[1].name}`, made by `facegauge quantize`. Pictures "
        f"of val of {files}."
    )
    tables = [Table("Scores", columns, rows, "Changes are copy minus scorer."), cost(pair)]
    publish(options.name, "A scorer in int8", intro, tables, options.results)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments_for(__doc__)
    add = parser.add_argument
    add("--data", required=True, help="labelled framed faces with a val split")
    add("--photos", help="labelled photos with a val split")
    add("--scorer", default=zoo.DEFAULT, help="name or folder (default: %(default)s)")
    add("--copy", default=f"{zoo.DEFAULT}-int8", help="name or folder (default: %(default)s)")
    add("--name", default="int8", help="name of the page (default: %(default)s)")
    return parser.parse_args(arguments)


def compared(
    what: str, pictures: Manifest, faces: str, pair: Sequence[OnnxPredictor]
) -> list[object]:
    """One row: agreement with the labels, and how scores move."""
    before, after = (predict_with(one, pictures, faces).scores for one in pair)
    kept = np.isfinite(before) & np.isfinite(after)
    labels, moved = pictures.labels()[kept], (after - before)[kept]
    agreement = [
        f"{figure(scores[kept], labels):.4f}"
        for figure in (srcc, plcc)
        for scores in (before, after)
    ]
    changes = [f"{moved.mean():+.4f}", f"{moved.std():.4f}", f"{np.abs(moved).max():.3f}"]
    return [what, int(kept.sum()), *agreement, *changes]


def cost(pair: Sequence[OnnxPredictor]) -> Table:
    """CPU time of the network, and the size of the file."""
    spec = pair[0].spec
    image = np.random.default_rng(0).normal(size=(1, 3, spec.height, spec.width))
    times: list[list[float]] = [[], []]
    for _ in range(ROUNDS + 1):
        for one, spent in zip(pair, times, strict=True):
            start = time.process_time()
            for _ in range(EACH):
                one.predict(image.astype(np.float32))
            spent.append(1000 * (time.process_time() - start) / EACH)
    ratios = [after / before for before, after in zip(*times, strict=True)][1:]
    rows = [
        [one.name, _spread(spent[1:]), f"{(one.folder / zoo.MODEL).stat().st_size / 1e6:.2f}"]
        for one, spent in zip(pair, times, strict=True)
    ]
    rows.append(["copy / scorer", _spread(ratios), ""])
    note = f"Median (minimum to maximum) of {ROUNDS} rounds; the first round does not count."
    return Table("Cost", ["scorer", "CPU ms a picture", "model, MB"], rows, note)


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    main()
