"""Does a picture get the same score whether or not its face is searched first?

A labelled manifest of framed faces is scored three times: `whole` (nothing is searched), `auto`
(a picture that is framed already is taken whole, any other has its faces cut out) and `all` (every
face is cut out anew). Where there are several faces the largest counts. Reported: agreement with
the labels in each mode, how far the scores are apart, and the share of pictures that `auto` takes
whole.

    python benchmarks/framing.py --data faces/labels.csv

Pictures without a score in some mode are counted; the modes are compared on the pictures that have
a score in all of them.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from page import RESULTS, Table, name_of, publish
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
        f"split {options.split}. Intervals: 95 %, bootstrap over pictures."
    )
    publish("framing", "Framing", intro, tables, options.results)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data", required=True, help="manifest with the columns image and score")
    add("--split", default="val", help="split to score; 'all' for every picture (default: val)")
    add("--n", type=int, default=0, help="at most this many, evenly spaced (default: 0, all)")
    add("--scorer", default=zoo.DEFAULT, help="shipped name or folder (default: %(default)s)")
    add("--results", type=Path, default=RESULTS, help="folder for the page")
    return parser.parse_args(arguments)


def agreement_table(labels: Scores, scores: Mapping[str, Scores]) -> Table:
    """SRCC and PLCC of each mode, on the pictures that all modes have scored."""
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
    """How far each mode that searches is from `whole`, on the pictures that all have scored."""
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
                f"{mode} less whole",
                len(kept),
                figure(np.mean, apart),
                figure(lambda x: float(np.quantile(x, 0.9)), apart),
                figure(np.mean, kept - whole, sign="+"),
                gain,
            )
        )
    columns = ("scores", "n", "mean distance", "nine in ten within", "mean", "SRCC")
    return Table("How far the scores are apart", columns, rows)


def whole_table(results: Sequence[ImageScore], spec: PreprocessSpec) -> Table:
    """What `auto` did with the pictures."""
    found = [result for result in results if result.faces]
    whole = sum(taken_whole(result, spec) for result in found)
    rows = [
        ("taken whole", whole, f"{whole / len(results):.1%}"),
        ("face cut out", len(found) - whole, f"{(len(found) - whole) / len(results):.1%}"),
        ("no score", len(results) - len(found), f"{1 - len(found) / len(results):.1%}"),
    ]
    return Table("What auto did", ("what", "pictures", "share"), rows)


def taken_whole(result: ImageScore, spec: PreprocessSpec) -> bool:
    """Whether `auto` took a picture with a face whole: the scorer's own rule."""
    face = result.faces[0].face
    assert face is not None  # auto always searches
    return is_framed(frame_around(face, spec), result.width, result.height, spec)


def in_all(scores: Mapping[str, Scores]) -> np.ndarray:
    """(N,) bool: pictures with a score in every mode."""
    return np.isfinite(np.stack(list(scores.values()))).all(0)


if __name__ == "__main__":
    main()
