"""Does the score fall as a picture gets worse?

Sharp portraits are degraded step by step (severity 0, undegraded, to 5, severe; see
`facegauge.data.degradations`) and scored at every step. Reported, for each degradation: the
mean score at every step, whether that mean falls at every step, and the mean over pictures of the
rank correlation of severity with score, where -1 is a perfect order. Also the mean score of all
pictures of the manifest, undegraded.

    python benchmarks/order.py --data portraits/split.csv

A picture in which no face is found at some severity is left out of that degradation's figures and
counted. The score of a picture is that of its largest face. Noise is drawn once per picture: the
same noise grows with the severity.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from page import Table, arguments_for, name_of, publish
from pictures import Scores, chosen, main_score
from rows import figure

from facegauge import Scorer, zoo
from facegauge.arrays import Pixels
from facegauge.data.degradations import DEGRADATIONS, degrade
from facegauge.data.manifests import Manifest, load_manifest
from facegauge.evaluation.metrics import srcc
from facegauge.faces.policy import FACES
from facegauge.images.loading import open_picture

KINDS = ("gaussian_blur", "downscale", "jpeg", "noise")
SEVERITIES = range(6)


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    scorer = Scorer(options.scorer, faces=options.faces)
    manifest = load_manifest(options.data)
    portraits = chosen(manifest, options.split, options.n)
    scores = degraded_scores(scorer, portraits.paths, options.kinds, options.seed)
    tables = [order_table(options.kinds, scores)]
    if not options.no_means:
        tables.append(means_table(scorer, manifest))
    intro = (
        f"`{scorer.card.name}`, faces `{options.faces}`, on {len(portraits)} pictures of "
        f"{name_of(options.data)}, split {options.split}. Intervals: bootstrap 95 %, over pictures."
    )
    publish(options.name, "Order", intro, tables, options.results)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments_for(__doc__)
    add = parser.add_argument
    add("--data", required=True, help="manifest, or folder, of sharp portraits")
    add("--split", default="val", help="split to degrade; 'all' for every picture (default: val)")
    add("--n", type=int, default=30, help="pictures, evenly spaced; 0 for all (default: 30)")
    add("--scorer", default=zoo.DEFAULT, help="shipped name or folder (default: %(default)s)")
    add("--faces", default="auto", choices=FACES, help="which faces (default: auto)")
    add("--kinds", nargs="+", default=KINDS, choices=DEGRADATIONS, metavar="KIND",
        help=f"of {', '.join(DEGRADATIONS)} (default: {' '.join(KINDS)})")  # fmt: skip
    add("--seed", type=int, default=0, help="random seed of the noise (default: 0)")
    add("--no-means", action="store_true", help="do not score the whole manifest too")
    add("--name", default="order", help="name of the page (default: order)")
    return parser.parse_args(arguments)


def degraded_scores(
    scorer: Scorer, paths: Sequence[Path], kinds: Sequence[str], seed: int
) -> Scores:
    """(picture, kind, severity) scores; nan where no face was found."""

    def views() -> Iterator[Pixels]:
        for row, path in enumerate(paths):
            pixels = open_picture(path)
            for kind in kinds:
                for severity in SEVERITIES:
                    yield degrade(pixels, kind, severity, np.random.default_rng([seed, row]))

    scores = [main_score(result) for result in scorer.score_iter(views())]
    return np.array(scores).reshape(len(paths), len(kinds), len(SEVERITIES))


def order_table(kinds: Sequence[str], scores: Scores) -> Table:
    """One row per degradation, from (picture, kind, severity) scores."""
    means = [f"mean at {severity}" for severity in SEVERITIES]
    ranks = ["rank correlation, 1 to 5", "rank correlation, 0 to 5"]
    columns = ["degradation", "n", "no face", *means, "falls at every step", *ranks]
    rows = [[kind, *order_row(scores[:, place])] for place, kind in enumerate(kinds)]
    note = "Mean score at every severity; rank correlation of severity with score, mean of n."
    return Table("Scores of degraded portraits", columns, rows, note)


def order_row(scores: Scores) -> list[object]:
    """The cells of one degradation, from (picture, severity) scores."""
    complete = scores[np.isfinite(scores).all(1)]
    counts = [len(complete), len(scores) - len(complete)]
    if not len(complete):
        return [*counts, *["-"] * (len(SEVERITIES) + 3)]
    means = complete.mean(0)
    rises = [f"{a} to {a + 1}" for a in SEVERITIES[:-1] if means[a + 1] >= means[a]]
    falls = f"no: not from {', '.join(rises)}" if rises else "yes"
    ranks = [rank_correlations(complete[:, first:], SEVERITIES[first:]) for first in (1, 0)]
    figures = [figure(np.mean, each, sign="+") for each in ranks]
    return [*counts, *(f"{mean:.3f}" for mean in means), falls, *figures]


def rank_correlations(scores: Scores, severities: Sequence[float]) -> Scores:
    """Spearman's correlation of severity with score, per picture; 0 where the score is constant."""
    return np.nan_to_num([srcc(row, severities) for row in scores], nan=0.0)


def means_table(scorer: Scorer, manifest: Manifest) -> Table:
    """Mean score of all pictures, undegraded, and of each split."""
    scores = np.array([main_score(result) for result in scorer.score_iter(manifest.paths)])
    splits = np.array(manifest.splits or [""] * len(manifest))
    groups = {"all": scores}
    groups |= {name: scores[splits == name] for name in sorted(set(splits)) if name}
    rows = []
    for name, members in groups.items():
        scored = members[np.isfinite(members)]
        rows.append((name, len(scored), len(members) - len(scored), figure(np.mean, scored)))
    return Table("Undegraded portraits", ("split", "n", "no face", "mean score"), rows)


if __name__ == "__main__":
    main()
