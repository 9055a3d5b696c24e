"""Does a scorer see fine damage that vanishes when the picture is downscaled?

Large portraits are damaged lightly, at severities up to 1 (see `facegauge.data.degradations`),
and scored in their own pixels. Reported for each degradation: the PSNR of the damaged against the
clean portrait when both are downscaled with an anti-aliasing filter; for each scorer, the mean over
portraits of the rank correlation of severity with score, where -1 is a perfect order; and the
first scorer's minus every other's, on the same portraits.

    python benchmarks/fine.py --data portraits/split.csv --scorer mspt mobile dsl

A portrait in which a scorer finds no face at some severity is left out of that degradation's
figures and counted. Noise is drawn once per portrait: the same noise grows with the severity.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from order import rank_correlations
from page import Table, arguments_for, name_of, publish
from pictures import Scores, chosen, main_score
from PIL import Image
from rows import figure

from facegauge import Scorer
from facegauge.arrays import Pixels
from facegauge.data.degradations import DEGRADATIONS, degrade
from facegauge.data.manifests import Manifest, load_manifest
from facegauge.errors import UsageError
from facegauge.faces.policy import FACES
from facegauge.images.loading import open_picture

KINDS = ("gaussian_blur", "downscale", "jpeg", "noise")
SEVERITIES = (0.0, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True)
class Order:
    """How scorers order the copies under one degradation, or under all on average.

    Attributes:
        lost: portraits without a score from every scorer at every severity.
        ranks: (n,) rank correlations of severity with score, by scorer, for the other portraits.
    """

    kind: str
    lost: int
    ranks: Mapping[str, Scores]


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    names = [Path(one).name for one in options.scorer]
    if len(set(names)) < max(2, len(names)):
        raise UsageError(f"--scorer expects two or more of different names, got {', '.join(names)}")
    portraits = large(load_manifest(options.data), options.split, options.min_side, options.n)
    scores = {
        Path(name).name: damaged_scores(Scorer(name, faces=options.faces), portraits.paths, options)
        for name in options.scorer
    }
    squared = squared_differences(portraits.paths, options)
    orders = orders_of(options.kinds, scores)
    tables = [
        psnr_table(options.kinds, squared, options.psnr_side),
        order_table(orders),
        difference_table(orders),
    ]
    intro = (
        f"{len(portraits)} portraits of {name_of(options.data)}, split {options.split}, short side "
        f"{options.min_side} px or more; faces `{options.faces}`; severities "
        f"{', '.join(map(str, SEVERITIES))}. Intervals: bootstrap 95 %, over portraits."
    )
    publish(options.name, "Fine damage", intro, tables, options.results)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments_for(__doc__)
    add = parser.add_argument
    add("--data", required=True, help="manifest, or folder, of sharp portraits")
    add("--split", default="val", help="split to degrade; 'all' for every picture (default: val)")
    add("--min-side", type=int, default=448, help="minimum short side in pixels (default: 448)")
    add("--psnr-side", type=int, default=224, help="short side for the PSNR (default: 224)")
    add("--n", type=int, default=0, help="pictures, evenly spaced; 0 for all (default: 0)")
    add("--scorer", nargs="+", required=True, help="shipped names or folders; the first one is "
        "compared with the others")  # fmt: skip
    add("--faces", default="auto", choices=FACES, help="which faces (default: auto)")
    add("--kinds", nargs="+", default=KINDS, choices=DEGRADATIONS, metavar="KIND",
        help=f"of {', '.join(DEGRADATIONS)} (default: {' '.join(KINDS)})")  # fmt: skip
    add("--seed", type=int, default=0, help="random seed of the noise (default: 0)")
    add("--name", default="fine", help="name of the page (default: fine)")
    return parser.parse_args(arguments)


def large(manifest: Manifest, split: str, min_side: int, n: int) -> Manifest:
    """The split's pictures with a short side of `min_side` pixels or more.

    Raises:
        UsageError: there are none.
    """
    part = chosen(manifest, split)
    wide = np.array([min(open_picture(path).shape[:2]) >= min_side for path in part.paths], bool)
    if not wide.any():
        raise UsageError(f"{part.source}: no picture has a short side of {min_side} px or more")
    return chosen(part.take(wide), "all", n)


def copies(path: Path, row: int, kind: str, seed: int) -> Iterator[Pixels]:
    """A portrait at every severity of a kind."""
    pixels = open_picture(path)
    for severity in SEVERITIES:
        yield degrade(pixels, kind, severity, np.random.default_rng([seed, row]))


def damaged_scores(scorer: Scorer, paths: Sequence[Path], options: argparse.Namespace) -> Scores:
    """(portrait, kind, severity) scores; nan where no face was found."""
    views = (
        copy
        for row, path in enumerate(paths)
        for kind in options.kinds
        for copy in copies(path, row, kind, options.seed)
    )
    scores = [main_score(result) for result in scorer.score_iter(views)]
    return np.array(scores).reshape(len(paths), len(options.kinds), len(SEVERITIES))


def orders_of(kinds: Sequence[str], scores: Mapping[str, Scores]) -> list[Order]:
    """Of each degradation, and the mean of all, from (portrait, kind, severity) scores."""
    every = np.isfinite(np.stack(list(scores.values()))).all((0, 3))  # (portrait, kind)

    def order(kind: str, places: Sequence[int], kept: np.ndarray) -> Order:
        ranks = {
            name: np.mean([rank_correlations(one[kept, k], SEVERITIES) for k in places], axis=0)
            for name, one in scores.items()
        }
        return Order(kind, int((~kept).sum()), ranks)

    found = [order(kind, [place], every[:, place]) for place, kind in enumerate(kinds)]
    return [*found, order("mean of all", range(len(kinds)), every.all(1))]


def squared_differences(paths: Sequence[Path], options: argparse.Namespace) -> Scores:
    """(kind, severity) mean squared differences of copy and clean, downscaled, in grey levels."""
    total = np.zeros((len(options.kinds), len(SEVERITIES)))
    for row, path in enumerate(paths):
        for place, kind in enumerate(options.kinds):
            clean, *rest = (
                downscaled(c, options.psnr_side) for c in copies(path, row, kind, options.seed)
            )
            total[place, 1:] += [((one - clean) ** 2).mean() for one in rest]
    return total / len(paths)


def downscaled(pixels: Pixels, short: int) -> Scores:
    """The picture with a short side of `short` pixels, by Lanczos."""
    height, width = pixels.shape[:2]
    scale = short / min(height, width)
    size = (round(width * scale), round(height * scale))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS), np.float64)


def psnr_table(kinds: Sequence[str], squared: Scores, short: int) -> Table:
    columns = ("degradation", *(f"at {severity}" for severity in SEVERITIES[1:]))
    rows = [(kind, *map(decibels, squared[place, 1:])) for place, kind in enumerate(kinds)]
    note = (
        f"PSNR in dB of the damaged portrait against the clean one, both downscaled to a short "
        f"side of {short} px; from the mean over portraits of the squared difference."
    )
    return Table("PSNR after downscaling", columns, rows, note)


def decibels(squared: float) -> str:
    return f"{10 * np.log10(255**2 / squared):.1f}" if squared else "same"


def order_table(orders: Sequence[Order]) -> Table:
    rows = []
    for one in orders:
        n = len(next(iter(one.ranks.values())))
        lost = f" ({one.lost} without a face)" if one.lost else ""
        cells = [figure(np.mean, ranks, sign="+") for ranks in one.ranks.values()]
        rows.append((one.kind, f"{n}{lost}", *cells))
    note = "Rank correlation of severity with score, mean of n; -1 is a perfect order."
    return Table("Order", ("degradation", "n", *orders[0].ranks), rows, note)


def difference_table(orders: Sequence[Order]) -> Table:
    rows = []
    for one in orders:
        ours, *theirs = one.ranks.values()
        rows.append((one.kind, *(figure(np.mean, ours - other, sign="+") for other in theirs)))
    ours, *theirs = orders[0].ranks
    columns = ("degradation", *(f"{ours} - {other}" for other in theirs))
    note = f"On the same portraits; below 0, {ours} orders better."
    return Table("Paired differences", columns, rows, note)


if __name__ == "__main__":
    main()
