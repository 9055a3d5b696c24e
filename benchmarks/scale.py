"""What does a cluster cost beside one machine, and does its memory grow?

    python benchmarks/scale.py
    python benchmarks/scale.py --n 1000 --rows 2000 20000

`facegauge score` scores a folder of pictures by itself, and with `--on ray` with one actor and with
two, each in a run of its own. The CPU time and the memory of all processes of a run are read from
/proc, so this runs on Linux. On a busy machine read the CPU columns and their ratio. Lists of
pictures that are not there show whether memory grows with the rows. Tables of made rows are merged.

The pictures are faces cut from `examples/astronaut.jpg`, each with noise of its own.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from uuid import uuid4

import material
import numpy as np
from page import RESULTS, Table, publish, version_of
from PIL import Image
from stopwatch import in_fresh_process

from facegauge import zoo
from facegauge.results import Box, Face, FaceScore, ImageScore, Status
from facegauge.tables.merging import merge
from facegauge.tables.scores import open_table
from facegauge.tables.shards import Listing, Shard

TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
MARK = "FACEGAUGE_BENCHMARK"
EVERY = 0.2  # seconds between looks at the processes
KINDS = ("driver", "actors", "openers", "Ray")
WAYS = {"one machine": (), "1 actor": ("--on", "ray", "--actors", "1"),
        "2 actors": ("--on", "ray", "--actors", "2")}  # fmt: skip
SHARDS = 4


@dataclass
class Watch:
    """What the processes of a run take, by kind: CPU seconds, and the peak MB of the largest."""

    mark: str
    cpu: dict[str, dict[int, float]] = field(default_factory=lambda: defaultdict(dict))
    peak: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def look(self) -> None:
        wanted = f"{MARK}={self.mark}".encode()
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError, ValueError, IndexError):
                if wanted not in (folder / "environ").read_bytes().split(b"\0"):
                    continue
                kind = kind_of((folder / "cmdline").read_bytes())
                stat = (folder / "stat").read_text().rpartition(")")[2].split()
                self.cpu[kind][int(folder.name)] = (int(stat[11]) + int(stat[12])) / TICKS
                status = (folder / "status").read_text()
                peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
                self.peak[kind] = max(self.peak[kind], peak)

    def seconds(self, *kinds: str) -> float:
        return sum(sum(self.cpu[kind].values()) for kind in kinds)


def kind_of(command: bytes) -> str:
    """Which part a process has in a run, by its command line."""
    if command.startswith(b"ray::_Actor"):
        return "actors"
    if b"spawn_main" in command:
        return "openers"
    return "driver" if b"\0facegauge\0score\0" in command else "Ray"


@dataclass(frozen=True)
class Run:
    """A run of `facegauge score`."""

    seconds: float
    first: float  # seconds until there was a row
    watch: Watch


def score(folder: Path, out: Path, scorer: str, how: Sequence[str], given: Sequence[str]) -> Run:
    """Score pictures and watch it."""
    watch, over = Watch(uuid4().hex), Event()
    words = [sys.executable, "-m", "facegauge", "score", *given, "--scorer", scorer, *how]
    if how:
        target = out
    else:
        target = out.with_suffix(".csv")
        words += ["--threads", "2"]
    environment = {**os.environ, MARK: watch.mark, "OMP_NUM_THREADS": "1"}
    begun, first = time.perf_counter(), 0.0

    def look() -> None:
        while not over.wait(EVERY):
            watch.look()

    log = folder / "log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            [*words, "-o", str(target)], env=environment, cwd=folder, stderr=said
        )
    looking = Thread(target=look)
    looking.start()
    while process.poll() is None:
        if not first and has_rows(target):
            first = time.perf_counter() - begun
        time.sleep(0.05)
    seconds = time.perf_counter() - begun
    over.set()
    looking.join()
    if process.returncode not in (0, 3):
        sys.exit(f"{' '.join(words)} ended with {process.returncode}: {log.read_text()}")
    return Run(seconds, first, watch)


def has_rows(target: Path) -> bool:
    if target.suffix == ".csv":
        return target.exists() and target.read_bytes().count(b"\n") > 1
    return any(target.glob("part-*.parquet"))


def perturbed(folder: Path, n: int) -> Path:
    """A folder with n faces, no two the same."""
    made = [Image.open(path) for path in material.faces(None, folder / "made", material.DISTINCT)]
    rng = np.random.default_rng(0)
    (folder / str(n)).mkdir()
    for number in range(n):
        pixels = np.asarray(made[number % len(made)].convert("RGB"))
        noise = rng.integers(-6, 7, pixels.shape)
        noisy = Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))
        noisy.save(folder / str(n) / f"{number:06}.jpg", quality=92)
    return folder / str(n)


def throughput(scorer: str, n: int) -> Iterator[tuple[object, ...]]:
    """A row for each way of scoring n pictures."""
    with tempfile.TemporaryDirectory() as place:
        folder = perturbed(Path(place), n)
        alone = 0.0
        for way, how in WAYS.items():
            run = score(Path(place), Path(place, f"out {way}"), scorer, how, [folder.name])
            work = 1000 * run.watch.seconds("driver", "actors", "openers") / n
            ray = run.watch.seconds("Ray")
            alone = alone or work
            yield (
                n, way, f"{work:.1f}", f"{alone / work:.2f}", f"{ray:.1f}",
                f"{n / run.seconds:.1f}", f"{run.first:.1f}",
                *(f"{run.watch.peak[kind]:.0f}" for kind in KINDS[:3]),
            )  # fmt: skip


def memory(scorer: str, rows: int) -> tuple[object, ...]:
    """A row: the peak memory of a run over a list of pictures that are not there."""
    with tempfile.TemporaryDirectory() as place:
        listed = Path(place, "list.csv")
        with listed.open("w") as file:
            file.write("path\n")
            file.writelines(f"none/{number:08}.jpg\n" for number in range(rows))
        how = WAYS["2 actors"]
        run = score(
            Path(place), Path(place, "out"), scorer, how, [listed.name, "--path-column", "path"]
        )
        return rows, *(f"{run.watch.peak[kind]:.0f}" for kind in KINDS[:3])


def merging(suffix: str, rows: int) -> tuple[object, ...]:
    """A row: CPU seconds and peak memory of merging shards with so many rows in all."""
    import resource

    rng = random.Random(0)
    with tempfile.TemporaryDirectory() as place:
        parts = []
        for number in range(1, SHARDS + 1):
            shard, listing = Shard(number, SHARDS), Listing()
            parts.append(Path(place, f"{number}.{suffix}"))
            with open_table(parts[-1], {"scorer": "made"}, shard=shard) as table:
                for name in (f"photos/{place:08}.jpg" for place in range(rows)):
                    listing.add(name)
                    if name in shard:
                        score = rng.random()
                        face = Face(Box(1.5, 2.5, 30 + score, 40), 0.9)
                        made = FaceScore(score, score / 2, 1.0, 100 * score, "fair", face)
                        table.write(ImageScore(name, Status.OK, (made,)))
                table.listed(listing)
        begun = time.process_time()
        merged = merge(Path(place, f"out.{suffix}"), parts)
        seconds = time.process_time() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return suffix, merged.rows, f"{seconds:.1f}", f"{peak:.0f}"


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    card = zoo.load_card(zoo.open_folder(options.scorer))
    columns = ("pictures", "way", "CPU ms", "ratio", "Ray's CPU s", "pictures/s", "first row, s",
               "driver, MB", "actor, MB", "opener, MB")  # fmt: skip
    note = (
        "CPU time of a picture is that of the driver, the actors and the processes that open "
        "pictures, their start included. The ratio is that of one machine to it: the share of its "
        "pictures a second that the same CPUs reach. Ray's own processes are apart. Memory is the "
        "peak of the largest process of a kind. Pictures a second and the first row depend on what "
        "else the machine does."
    )
    tables = []
    if options.n:
        rows = [row for n in options.n for row in throughput(options.scorer, n)]
        tables.append(Table("Pictures", columns, rows, note))
    if options.rows:
        rows = [memory(options.scorer, count) for count in options.rows]
        note = (
            "Of a list of pictures that are not there, two actors: the peak of the largest process."
        )
        columns = ("rows", "driver, MB", "actor, MB", "opener, MB")
        tables.append(Table("Memory", columns, rows, note))
    if options.merge:
        rows = [in_fresh_process(merging, kind, options.merge) for kind in ("csv", "parquet")]
        note = f"{SHARDS} shards. The peak has the writing of the shards, too."
        tables.append(Table("Merging", ("format", "rows", "CPU s", "MB"), rows, note))
    intro = f"`{card.name}`, Ray {version_of('ray')}. Faces of 178 x 218, cut from the example."
    publish("scale", "Scale", intro, tables, options.results)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--scorer", default=zoo.DEFAULT, help="shipped name or folder (default: %(default)s)")
    add("--n", type=int, nargs="*", default=[1000, 10_000, 100_000], help="pictures")
    add("--rows", type=int, nargs="*", default=[2000, 200_000], help="rows for memory")
    add("--merge", type=int, default=1_000_000, help="rows to merge; 0: none")
    add("--results", type=Path, default=RESULTS, help="folder for the page")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
