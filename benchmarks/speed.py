"""How fast is scoring, and how much memory does it need?

    python benchmarks/speed.py
    python benchmarks/speed.py --faces faces/ --portraits portraits/ --pyiqa-python pyiqa/bin/python

Five measurements, all of them unless `--only` picks some:

cold    `facegauge score one.jpg` from the start of the process to its end
faces   a folder of faces of 178 x 218, taken whole and with detection
photos  photos of 12 megapixels, with detection: enlarged portraits, smooth and with noise
memory  resident memory while thousands of pictures of many sizes are scored
pyiqa   the time for one picture, compared with the network of pyiqa's `topiq_nr-face`

The last needs a Python with pyiqa, given with `--pyiqa-python`, and is skipped without it. Use a
virtual environment of its own: `python -m venv pyiqa && pyiqa/bin/pip install pyiqa`. Its network
gets random weights and nothing is downloaded; see `pyiqa_latency.py`.

Without `--faces` and `--portraits` the pictures are made from `examples/astronaut.jpg`. "Target" is
facegauge's target on two idle cores. On a busy machine read the CPU time: "CPU limit" is the rate
that it permits if all cores are idle.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import material
import numpy as np
from page import RESULTS, Table, cpus, name_of, publish
from stopwatch import Rate, footprint, in_fresh_process, one_picture, rate

from facegauge import zoo

MEASURES = ("cold", "faces", "photos", "memory", "pyiqa")
RATE_COLUMNS = (
    "pictures", "scored", "best, per second", "median, per second", "target",
    "CPU ms per picture", "CPU limit, per second", "peak memory, MB",
)  # fmt: skip
NO_FACE = 3  # exit code of `facegauge score`
COMMAND = "from facegauge.cli import main; main()"


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    card = zoo.load_card(zoo.open_folder(options.scorer))
    measures = {"cold": cold, "faces": folder, "photos": big, "memory": memory, "pyiqa": pyiqa}
    made = {}
    with tempfile.TemporaryDirectory() as place:
        faces = material.faces(options.faces, Path(place, "faces"), options.n)
        # pyiqa first: where its Python cannot run, nothing has been measured in vain
        for name in sorted(options.only, key=lambda name: name != "pyiqa"):
            if name != "pyiqa" or options.pyiqa_python:
                made[name] = measures[name](options, faces, Path(place))
    tables = [made[name] for name in options.only if name in made]
    sources = [
        f"{what}: {name_of(path or material.EXAMPLE)}"
        for what, path in (("faces", options.faces), ("photos", options.portraits))
    ]
    size = f"{card.cost.parameters_m:.2f} M parameters, {card.cost.gflops:.3f} GFLOPs"
    intro = f"`{card.name}` ({size}). Pictures made from {', '.join(sources)}."
    publish("speed", "Speed", intro, tables, options.results)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
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
    add("--rounds", type=int, default=3, help="repetitions of a rate (default: %(default)s)")
    add("--starts", type=int, default=5, help="cold starts (default: %(default)s)")
    add(
        "--runs",
        type=int,
        default=10,
        help="runs beside pyiqa (default: %(default)s)",
    )
    add("--results", type=Path, default=RESULTS, help="folder for the page")
    return parser.parse_args(arguments)


def cold(options: argparse.Namespace, faces: Sequence[Path], place: Path) -> Table:
    """Whole runs of the command; the files are in the system's cache."""
    command = [sys.executable, "-c", COMMAND, "score", str(faces[0]), "--scorer", options.scorer]
    seconds = []
    for _ in range(options.starts):
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds.append(time.perf_counter() - start)
        if done.returncode not in (0, NO_FACE):
            sys.exit(f"facegauge score failed:\n{done.stderr}")
    row = (len(seconds), f"{min(seconds):.2f}", f"{statistics.median(seconds):.2f}", "< 1.5")
    columns = ("starts", "best, s", "median, s", "target, s")
    return Table("One picture, cold start", columns, [row])


def folder(options: argparse.Namespace, faces: Sequence[Path], place: Path) -> Table:
    """A folder of faces, taken whole and with detection."""
    rows = []
    for mode, target in (("whole", ">= 120"), ("auto", ">= 50")):
        rows.append((mode, *rate_row(measure(options, faces, mode), target)))
    return Table("A folder of faces, 178 x 218", ("faces", *RATE_COLUMNS), rows)


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


def pyiqa(options: argparse.Namespace, faces: Sequence[Path], place: Path) -> Table:
    """One picture in memory, batch 1: facegauge, and the network alone of topiq_nr-face."""
    rows = []
    for threads in sorted({1, cpus()}):
        peer = peer_times(options.pyiqa_python, threads, options.runs)
        rows.append(time_row(f"pyiqa {peer['pyiqa']}, network", threads, peer, peer))
        for mode in ("whole", "auto"):
            runs = 10 * options.runs
            wall, cpu = in_fresh_process(one_picture, faces[0], options.scorer, mode, threads, runs)
            rows.append(
                time_row(f"facegauge, {mode}", threads, {"wall_ms": wall, "cpu_ms": cpu}, peer)
            )
    note = (
        f"Medians; torch {peer['torch']}, CPU. pyiqa's figure is its network alone, CFANet on "
        "ResNet-50 at 512 x 512 with random weights, without the face detection and alignment that "
        "topiq_nr-face does first. facegauge's is everything except opening the file."
    )
    columns = ("", "threads", "ms", "CPU ms", "times faster", "times less CPU")
    return Table("Compared with pyiqa's topiq_nr-face", columns, rows, note)


def peer_times(python: str, threads: int, runs: int) -> dict[str, float]:
    script = Path(__file__).parent / "pyiqa_latency.py"
    command = [python, str(script), str(threads), str(runs)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{python} cannot time pyiqa:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def time_row(
    name: str, threads: int, own: dict[str, float], peer: dict[str, float]
) -> tuple[object, ...]:
    keys = ("wall_ms", "cpu_ms")
    times = [f"{own[key]:.1f}" for key in keys]
    return (name, threads, *times, *(f"{peer[key] / own[key]:.1f}" for key in keys))


if __name__ == "__main__":
    main()
