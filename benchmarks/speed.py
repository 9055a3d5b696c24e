"""How fast is scoring, and how much memory does it need?

    python benchmarks/speed.py
    python benchmarks/speed.py --faces faces/ --portraits portraits/ --pyiqa-python pyiqa/bin/python

Seven measurements, all of them unless `--only` picks some:

cold    `facegauge --help` and `facegauge score one.jpg` from the start of the process to its end
stages  the CPU time of each stage of scoring, for faces, portraits, large photos and a group
peers   the CPU time of one picture beside pyiqa's `topiq_nr-face`, Efficient-FIQA's student and
        the scorer's network alone
faces   a folder of faces of 178 x 218, taken whole and with detection
threads the rate with one thread and with more, whole and with detection
photos  photos of 12 megapixels, with detection: enlarged portraits, smooth and with noise
memory  resident memory while thousands of pictures of many sizes are scored

pyiqa needs a Python of its own, given with `--pyiqa-python`, and is left out without it. Use a
virtual environment: `python -m venv pyiqa && pyiqa/bin/pip install pyiqa`. Its networks get random
weights and nothing is downloaded; see `pyiqa_latency.py`. The student on torch needs `[metric]`.

Without `--faces` and `--portraits` the pictures are made from `examples/astronaut.jpg`. The first
three measure CPU time, in turns, so that other programs on the machine hardly matter. "Target" is
facegauge's target on two idle cores. On a busy machine read the CPU time: "CPU limit" is the rate
that it permits if all cores are idle.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import material
import numpy as np
import peers
import stages
from page import Table, arguments_for, cpus, name_of, publish
from stopwatch import Rate, footprint, in_fresh_process, rate, with_threads

from facegauge import zoo

MEASURES = ("cold", "stages", "peers", "faces", "threads", "photos", "memory")
RATE_COLUMNS = (
    "pictures", "scored", "best, per second", "median, per second", "target",
    "CPU ms per picture", "CPU limit, per second", "peak memory, MB",
)  # fmt: skip
NO_FACE = 3  # exit code of `facegauge score`
COMMAND = "from facegauge.__main__ import main; main()"


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    card = zoo.load_card(zoo.open_folder(options.scorer))
    measures = {
        "cold": cold,
        "stages": staged,
        "peers": compared,
        "faces": folder,
        "threads": scaled,
        "photos": big,
        "memory": memory,
    }
    with tempfile.TemporaryDirectory() as place:
        faces = material.faces(options.faces, Path(place, "faces"), options.n)
        tables = [measures[name](options, faces, Path(place)) for name in options.only]
    sources = [
        f"{what}: {name_of(path or material.EXAMPLE)}"
        for what, path in (("faces", options.faces), ("photos", options.portraits))
    ]
    size = f"{card.cost.parameters_m:.2f} M parameters, {card.cost.gflops:.3f} GFLOPs"
    intro = f"`{card.name}` ({size}). Pictures made from {', '.join(sources)}."
    publish("speed", "Speed", intro, tables, options.results)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments_for(__doc__)
    add = parser.add_argument
    add("--scorer", default=zoo.DEFAULT, help="shipped name or folder (default: %(default)s)")
    add("--only", nargs="+", choices=MEASURES, default=MEASURES, metavar="WHAT",
        help=f"of {', '.join(MEASURES)}")  # fmt: skip
    add("--faces", type=Path, metavar="FOLDER", help="framed faces, preferably 178 x 218")
    add("--portraits", type=Path, metavar="FOLDER", help="portraits to enlarge to 12 megapixels")
    add("--pyiqa-python", metavar="PATH", help="a Python with pyiqa")
    add("--n", type=int, default=1000, help="faces in the folder (default: %(default)s)")
    add("--photos", type=int, default=40, help="photos in the folder (default: %(default)s)")
    add(
        "--memory-n",
        type=int,
        default=5000,
        help="pictures for memory (default: %(default)s)",
    )
    add("--rounds", type=int, default=3, help="repetitions of a measurement (default: %(default)s)")
    add("--starts", type=int, default=5, help="cold starts (default: %(default)s)")
    return parser.parse_args(arguments)


def cold(options: argparse.Namespace, faces: Sequence[Path], place: Path) -> Table:
    """Whole runs of the command, in turns; the files are in the system's cache."""
    commands = {
        "facegauge --help": ["--help"],
        "facegauge score": ["score", str(faces[0]), "--scorer", options.scorer],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(options.starts + 1):
        for name, words in commands.items():
            start = child_seconds()
            done = subprocess.run(
                [sys.executable, "-c", COMMAND, *words], capture_output=True, text=True, check=False
            )
            if done.returncode not in (0, NO_FACE):
                sys.exit(f"{name} failed:\n{done.stderr}")
            if number:
                seconds[name].append(child_seconds() - start)
    targets = dict(zip(commands, (0.12, 0.3), strict=True))
    rows = [
        (name, *(f"{one(took):.2f}" for one in (statistics.median, min, max)), targets[name])
        for name, took in seconds.items()
    ]
    columns = ("command", "CPU s, median", "minimum", "maximum", "target")
    return Table("Cold start", columns, rows)


def child_seconds() -> float:
    """CPU time of all child processes so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def staged(options: argparse.Namespace, faces: Sequence[Path], place: Path) -> Table:
    """The stages of scoring."""
    sets = stages.pictures(faces, options.portraits, place / "stages", min(4, options.photos))
    return stages.table(in_fresh_process(stages.measure, sets, options.scorer, options.rounds))


def compared(options: argparse.Namespace, faces: Sequence[Path], place: Path) -> Table:
    """One picture beside other programs."""
    portrait = peers.portrait_of(options.portraits, material.EXAMPLE)
    python = options.pyiqa_python
    passed = (faces[0], portrait, options.scorer, python, options.rounds)
    return peers.table(*in_fresh_process(peers.measure, *passed))


def folder(options: argparse.Namespace, faces: Sequence[Path], place: Path) -> Table:
    """A folder of faces, taken whole and with detection."""
    rows = []
    for mode, target in (("whole", ">= 120"), ("auto", ">= 50")):
        rows.append((mode, *rate_row(measure(options, faces, mode), target)))
    return Table("A folder of faces, 178 x 218", ("faces", *RATE_COLUMNS), rows)


def scaled(options: argparse.Namespace, faces: Sequence[Path], place: Path) -> Table:
    """What more threads bring."""
    counts = [2**power for power in range(cpus().bit_length())]
    rows = []
    for mode in ("whole", "auto"):
        found = in_fresh_process(with_threads, faces, options.scorer, mode, counts, options.rounds)
        for count in counts:
            gains = [each / first for first, each in zip(found[1], found[count], strict=True)]
            rows.append((mode, count, spread(found[count], ".0f"), spread(gains, ".2f")))
    note = (
        "Pictures of 178 x 218 a second, and how many times as many as with one thread: median "
        "(minimum to maximum) of the rounds, in which the numbers of threads take turns."
    )
    return Table("Threads", ("faces", "threads", "a second", "times one thread"), rows, note)


def spread(values: Sequence[float], form: str) -> str:
    return f"{statistics.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def big(options: argparse.Namespace, faces: Sequence[Path], place: Path) -> Table:
    """Photos of 12 megapixels."""
    rows = []
    for name, noise in (("smooth", 0), ("with noise", 3)):
        photos = material.photos(options.portraits, place / name, options.photos, noise)
        size = statistics.mean(path.stat().st_size for path in photos) / 1e6
        row = rate_row(measure(options, photos, "auto"), ">= 8")
        rows.append((f"{name}, {size:.1f} MB", *row))
    return Table("Photos of 12 megapixels, with detection", ("photos", *RATE_COLUMNS), rows)


def measure(options: argparse.Namespace, paths: Sequence[Path], mode: str) -> Rate:
    return in_fresh_process(rate, paths, options.scorer, mode, options.rounds)


def rate_row(found: Rate, target: str) -> tuple[object, ...]:
    return (
        found.pictures,
        found.scored,
        f"{found.best:.1f}",
        f"{found.median:.1f}",
        target,
        f"{found.cpu_ms:.1f}",
        f"{1000 * cpus() / found.cpu_ms:.0f}",
        f"{found.peak_mb:.0f}",
    )


def memory(options: argparse.Namespace, faces: Sequence[Path], place: Path) -> Table:
    """Resident memory over many pictures."""
    pictures = material.many_sizes(faces[:200], place / "sizes")
    every = max(1, options.memory_n // 10)
    rows = []
    for mode in ("whole", "auto"):
        held = in_fresh_process(footprint, pictures, options.scorer, mode, options.memory_n, every)
        slope = np.polyfit(*zip(*held[1:], strict=True), 1)[0] * 1000
        rows.append(
            (
                mode,
                options.memory_n,
                *(f"{megabytes:.0f}" for _, megabytes in held),
                f"{max(megabytes for _, megabytes in held):.0f}",
                "< 400",
                f"{slope:+.2f}",
            )
        )
    steps = [f"MB at {number}" for number, _ in held]
    columns = ("faces", "pictures", *steps, "max", "target", "slope, MB per 1000")
    note = "Faces at 0.75 to 3 times 178 x 218. The slope excludes the first figure."
    return Table("Resident memory", columns, rows, note)


if __name__ == "__main__":
    main()
