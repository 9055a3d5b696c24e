"""Does a picture get the same score whether or not its face is detected first?

A labelled manifest of framed faces is scored three times: `whole` (no detection), `auto` (a picture
that is already framed is taken whole; in others the faces are cropped) and `all` (every face is
cropped). Of several faces the largest counts. Reported: agreement with the labels in each mode, the
differences of the scores, and the share of pictures that `auto` takes whole.

    python benchmarks/framing.py --data faces/labels.csv

Pictures without a score in some mode are counted; the modes are compared on the pictures with a
score in all of them.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

import numpy as np
from page import Table, arguments_for, name_of, publish
from pictures import Scores, chosen, main_score
from rows import figure

from facegauge import Scorer, zoo
from facegauge.data.manifests import load_manifest
from facegauge.evaluation.metrics import plcc, srcc
from facegauge.faces.framing import frame_around, is_framed
from facegauge.faces.spec import PreprocessSpec
from facegauge.results import ImageScore

MODES = ("whole", "auto", "all")


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    pictures = chosen(load_manifest(options.data), options.split, options.n)
    labels = pictures.labels()
    scorers = {mode: Scorer(options.scorer, faces=mode) for mode in MODES}
    results = {mode: list(scorers[mode].score_iter(pictures.paths)) for mode in MODES}
    scores = {mode: np.array([main_score(one) for one in results[mode]]) for mode in MODES}
    tables = [
        agreement_table(labels, scores),
        difference_table(labels, scores),
        whole_table(results["auto"], scorers["auto"].spec),
    ]
    intro = (
        f"`{scorers['auto'].card.name}` on {len(pictures)} pictures of {name_of(options.data)}, "
        f"split {options.split}. Intervals: bootstrap 95 %, over pictures."
    )
    publish("framing", "Framing", intro, tables, options.results)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments_for(__doc__)
    add = parser.add_argument
    add("--data", required=True, help="manifest with the columns image and score")
    add("--split", default="val", help="split to score; 'all' for every picture (default: val)")
    add("--n", type=int, default=0, help="at most this many, evenly spaced (default: 0, all)")
    add("--scorer", default=zoo.DEFAULT, help="shipped name or folder (default: %(default)s)")
    return parser.parse_args(arguments)


def agreement_table(labels: Scores, scores: Mapping[str, Scores]) -> Table:
    """SRCC and PLCC of each mode, on the pictures with a score in every mode."""
    shared = in_all(scores)
    rows = []
    for mode, all_scores in scores.items():
        kept = all_scores[shared]
        agreement = [figure(statistic, kept, labels[shared]) for statistic in (srcc, plcc)]
        lost = int(np.isnan(all_scores).sum())
        rows.append((mode, lost, len(kept), figure(np.mean, kept), *agreement))
    columns = ("faces", "no score", "compared", "mean score", "SRCC", "PLCC")
    return Table("Agreement with the labels", columns, rows)


def difference_table(labels: Scores, scores: Mapping[str, Scores]) -> Table:
    """Each mode with detection minus `whole`, on the pictures with a score in every mode."""
    shared = in_all(scores)
    whole = scores["whole"][shared]
    rows = []
    for mode in MODES[1:]:
        kept = scores[mode][shared]
        apart = np.abs(kept - whole)
        gain = figure(
            lambda a, b, label: srcc(a, label) - srcc(b, label),
            *(kept, whole, labels[shared]),
            sign="+",
        )
        rows.append(
            (
                f"{mode} - whole",
                len(kept),
                figure(np.mean, apart),
                figure(lambda x: float(np.quantile(x, 0.9)), apart),
                figure(np.mean, kept - whole, sign="+"),
                gain,
            )
        )
    columns = ("scores", "n", "mean absolute", "90th percentile of it", "mean", "SRCC")
    return Table("Differences", columns, rows)


def whole_table(results: Sequence[ImageScore], spec: PreprocessSpec) -> Table:
    """How many pictures `auto` took whole, and how many it cropped."""
    found = [result for result in results if result.faces]
    whole = sum(taken_whole(result, spec) for result in found)
    rows = [
        ("taken whole", whole, f"{whole / len(results):.1%}"),
        ("face cropped", len(found) - whole, f"{(len(found) - whole) / len(results):.1%}"),
        ("no score", len(results) - len(found), f"{1 - len(found) / len(results):.1%}"),
    ]
    return Table("Pictures in mode auto", ("", "pictures", "share"), rows)


def taken_whole(result: ImageScore, spec: PreprocessSpec) -> bool:
    """Whether `auto` took a picture with a face whole: the scorer's own rule."""
    face = result.faces[0].face
    assert face is not None  # auto always detects
    return is_framed(frame_around(face, spec), result.width, result.height, spec)


def in_all(scores: Mapping[str, Scores]) -> np.ndarray:
    """(N,) bool: pictures with a score in every mode."""
    return np.isfinite(np.stack(list(scores.values()))).all(0)


if __name__ == "__main__":
    main()
