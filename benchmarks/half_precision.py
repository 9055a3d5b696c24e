"""How much do scores move if a scorer's weights are stored in half precision?

    python benchmarks/half_precision.py --data labels.csv --before old
    python benchmarks/half_precision.py --data labels.csv --before old --after new mobile dsl

Every scorer is run twice on the same labelled pictures, taken whole: from its folder in `--before`,
and as it ships or from its folder in `--after`. The sizes are those of the folders. The cold start
is the CPU time, user and system, of `facegauge score` with one picture, run in turn with both; the
ratio is the median over the pairs.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from material import EXAMPLE
from page import Table, arguments_for, name_of, publish

from facegauge import zoo
from facegauge.data.manifests import Manifest, load_manifest
from facegauge.evaluation.metrics import srcc
from facegauge.evaluation.predictions import predict

MAX_SCORE, MAX_SRCC = 1e-3, 5e-4
COMMAND = "from facegauge.cli import main; main()"
NO_FACE = 3  # exit code of `facegauge score`


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    manifest = load_manifest(options.data).where(split=options.split)
    pairs = {name: folders(options, name) for name in options.scorers}
    tables = [moves(manifest, pairs), sizes(pairs)]
    if options.starts:
        tables.append(cold(pairs, options.starts))
    intro = (
        f"Scores of {len(manifest)} pictures of {name_of(options.data)}, split {options.split}, "
        "with the weights in float32 (before) and in half precision (after). The computation is "
        "float32 in both."
    )
    publish(options.name, "Weights in half precision", intro, tables, options.results)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments_for(__doc__)
    add = parser.add_argument
    add("scorers", nargs="*", default=zoo.names(), help="names (default: the shipped scorers)")
    add("--data", required=True, help="labelled manifest; pictures framed as their labels saw them")
    add("--split", default="val", help="split to evaluate on (default: val)")
    add("--before", type=Path, required=True, help="folder of scorer folders, in float32")
    add("--after", type=Path, help="folder of scorer folders (default: the shipped ones)")
    add("--starts", type=int, default=15, help="pairs of cold starts (default: %(default)s)")
    add("--name", default="half-precision", help="name of the page (default: %(default)s)")
    return parser.parse_args(arguments)


def folders(options: argparse.Namespace, name: str) -> tuple[Path, Path]:
    """The scorer's folder before and after, as paths, which no shipped name can hide."""
    after = options.after / name if options.after else zoo.open_folder(name)
    return (options.before / name).resolve(), after.resolve()


def moves(manifest: Manifest, pairs: dict[str, tuple[Path, Path]]) -> Table:
    rows = []
    for name, pair in pairs.items():
        before, after = (predict(folder, manifest).scores for folder in pair)
        both = np.isfinite(before) & np.isfinite(after)
        moved = np.abs(after - before)[both]
        agreement = [srcc(scores[both], manifest.labels()[both]) for scores in (before, after)]
        change = agreement[1] - agreement[0]
        kept = moved.max() < MAX_SCORE and abs(change) < MAX_SRCC
        rows.append(
            [
                name,
                int(both.sum()),
                f"{moved.max():.5f}",
                f"{moved.mean():.5f}",
                *(f"{value:.5f}" for value in agreement),
                f"{change:+.5f}",
                "yes" if kept else "no",
            ]
        )
    columns = [
        "scorer", "n", "largest difference", "mean difference", "SRCC before", "SRCC after",
        "difference", "within the limits",
    ]  # fmt: skip
    note = (
        f"Differences of scores are absolute. The limits: below {MAX_SCORE:g} for every score, "
        f"below {MAX_SRCC:g} for SRCC."
    )
    return Table("Scores", columns, rows, note)


def sizes(pairs: dict[str, tuple[Path, Path]]) -> Table:
    rows, total = [], np.zeros(4)
    for name, pair in pairs.items():
        found = [(model_size(folder), folder_size(folder)) for folder in pair]
        megabytes = np.array([*found[0], *found[1]]) / 1e6
        rows.append([name, *(f"{size:.2f}" for size in megabytes)])
        total += megabytes
    rows.append(["all", *(f"{size:.2f}" for size in total)])
    columns = ["scorer", "model before", "folder before", "model after", "folder after"]
    note = "In MB. The folders of 0.1 have a second copy of the weights, to train from."
    return Table("Size", columns, rows, note)


def model_size(folder: Path) -> int:
    return (folder / zoo.MODEL).stat().st_size


def folder_size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())


def cold(pairs: dict[str, tuple[Path, Path]], starts: int) -> Table:
    rows = []
    for name, pair in pairs.items():
        times = np.array([[start(folder) for folder in pair] for _ in range(starts + 1)])[1:]
        ratios = times[:, 1] / times[:, 0]
        medians = [f"{1000 * statistics.median(column):.0f}" for column in times.T]
        low, high = np.quantile(ratios, (0.25, 0.75))
        rows.append([name, starts, *medians, f"{np.median(ratios):.3f} ({low:.3f}-{high:.3f})"])
    columns = ["scorer", "pairs", "before, CPU ms", "after, CPU ms", "after / before"]
    note = (
        f"`facegauge score` with {name_of(EXAMPLE)}, whole process. Medians; in parentheses the "
        "middle half of the ratios. The first pair does not count."
    )
    return Table("Cold start", columns, rows, note)


def start(folder: Path) -> float:
    """CPU seconds, user and system, of scoring one picture, from the start of the process."""
    command = [sys.executable, "-c", COMMAND, "score", str(EXAMPLE), "--scorer", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, NO_FACE):
        sys.exit(f"facegauge score --scorer {folder} failed")
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
