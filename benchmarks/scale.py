"""What does a cluster cost beside one machine, and does its memory grow?

    python benchmarks/scale.py
    python benchmarks/scale.py --n 200 --rounds 1 --rows 2000 --merge 0

`facegauge score` scores a folder of pictures by itself, and with `--on ray` with one actor and with
two, each in a run of its own, one after the other and again for each round, so that what else the
machine does falls on all of them. The CPU time and the memory of all processes of a run are read
from /proc, so this runs on Linux. Lists of pictures that are not there show whether memory grows
with the rows. Tables of made rows are merged.

The pictures are faces cut from `examples/astronaut.jpg`, each with noise of its own.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
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
from page import Table, arguments_for, publish, version_of
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
ONE_ACTOR = 1000  # pictures at most for the way with one actor, which takes twice as long
TRIES = 2  # of a run, as Ray allows itself 30 s to start
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
    """A run of `facegauge score`.

    Attributes:
        seconds: from the command to its end.
        first: seconds until there were rows.
        begun: how many there were by then.
        pictures: of the run.
        watch: what its processes took.
    """

    seconds: float
    first: float
    begun: int
    pictures: int
    watch: Watch

    @property
    def rate(self) -> float:
        """Pictures a second."""
        return self.pictures / self.seconds

    @property
    def going(self) -> float:
        """Pictures a second once there are rows."""
        return (self.pictures - self.begun) / (self.seconds - self.first)

    @property
    def work(self) -> float:
        """CPU milliseconds a picture, without Ray's own processes."""
        return 1000 * self.watch.seconds("driver", "actors", "openers") / self.pictures


def score(n: int, scorer: str, how: Sequence[str], given: Sequence[str], folder: Path) -> Run:
    """Score n pictures and watch it."""
    for _ in range(TRIES):
        if run := tried(n, scorer, how, given, folder):
            return run
    sys.exit("gave up")


def tried(
    n: int, scorer: str, how: Sequence[str], given: Sequence[str], folder: Path
) -> Run | None:
    """A run; None if it failed, which is printed."""
    watch, over = Watch(uuid4().hex), Event()
    target = folder / f"{watch.mark}{'' if how else '.csv'}"
    words = [sys.executable, "-m", "facegauge", "score", *given, "--scorer", scorer, *how]
    words += ["-o", str(target), *(() if how else ("--threads", "2"))]
    environment = {**os.environ, MARK: watch.mark, "OMP_NUM_THREADS": "1"}
    log = folder / "log"

    def look() -> None:
        while not over.wait(EVERY):
            watch.look()

    looking = Thread(target=look)
    first, begun, start = 0.0, 0, time.perf_counter()
    with log.open("wb") as said:
        process = subprocess.Popen(words, env=environment, cwd=folder, stderr=said)
    looking.start()
    while process.poll() is None:
        if not begun and (begun := rows_in(target)):
            first = time.perf_counter() - start
        time.sleep(0.05)
    seconds = time.perf_counter() - start
    over.set()
    looking.join()
    if process.returncode not in (0, 3):
        print(f"{' '.join(words)} ended with {process.returncode}: {log.read_text()}")
        return None
    return Run(seconds, first, begun, n, watch)


def rows_in(target: Path) -> int:
    """Rows that can be read so far, of a CSV table or a folder of parts."""
    from pyarrow import parquet

    if target.suffix == ".csv":
        return max(0, target.read_bytes().count(b"\n") - 1) if target.exists() else 0
    return sum(parquet.read_metadata(part).num_rows for part in target.glob("part-*.parquet"))


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


def throughput(scorer: str, faces: str, n: int, rounds: int) -> Iterator[tuple[object, ...]]:
    """A row for each way of scoring n pictures."""
    ways = {way: how for way, how in WAYS.items() if way != "1 actor" or n <= ONE_ACTOR}
    runs: dict[str, list[Run]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as place:
        folder = perturbed(Path(place), n)
        for _ in range(rounds):
            for way, how in ways.items():
                given = [folder.name, "--faces", faces]
                runs[way].append(score(n, scorer, how, given, Path(place)))
    alone = runs["one machine"]
    for way, found in runs.items():
        peak = {kind: max(run.watch.peak[kind] for run in found) for kind in KINDS}
        pairs = list(zip(found, alone, strict=True))
        yield (
            n, rounds, way,
            spread([run.rate for run in found]),
            spread([run.rate / other.rate for run, other in pairs], 2),
            spread([run.going / other.going for run, other in pairs], 2),
            spread([other.work / run.work for run, other in pairs], 2),
            spread([run.first for run in found]),
            spread([run.watch.seconds("Ray") for run in found]),
            *(f"{peak[kind]:.0f}" for kind in KINDS[:3]),
        )  # fmt: skip


def spread(values: Sequence[float], digits: int = 1) -> str:
    """Median, and least to greatest if there are several."""
    middle = f"{statistics.median(values):.{digits}f}"
    if len(values) == 1:
        return middle
    return f"{middle} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def memory(scorer: str, rows: int) -> tuple[object, ...]:
    """A row: the peak memory of a run over a list of pictures that are not there."""
    with tempfile.TemporaryDirectory() as place:
        listed = Path(place, "list.csv")
        with listed.open("w") as file:
            file.write("path\n")
            file.writelines(f"none/{number:08}.jpg\n" for number in range(rows))
        given = [listed.name, "--path-column", "path"]
        run = score(rows, scorer, WAYS["2 actors"], given, Path(place))
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
    columns = (
        "pictures", "rounds", "way", "pictures/s", "ratio", "ratio going", "ratio of CPU",
        "first row, s", "Ray's CPU s", "driver, MB", "actor, MB", "opener, MB",
    )  # fmt: skip
    note = (
        "Median over the rounds, and least to greatest. The ratios are to one machine in the same "
        "round: of pictures a second from the command to its end; of those once there are rows, "
        "without the start; and of the CPU time of a picture, of the driver, the actors and the "
        "processes that open pictures, their start included. Ray's own processes are apart. Memory "
        "is the peak of the largest process of a kind."
    )
    tables = []
    if options.n:
        rows = [
            row
            for n, rounds in zip(options.n, options.rounds, strict=True)
            for row in throughput(options.scorer, options.faces, n, rounds)
        ]
        tables.append(Table("Pictures", columns, rows, note))
    if options.rows:
        rows = [memory(options.scorer, count) for count in options.rows]
        note = (
            "Two actors, a list of pictures that are not there: nothing is decoded or scored, "
            "while names, rows and parts go their whole way. The peak of the largest process of a "
            "kind."
        )
        columns = ("rows", "driver, MB", "actor, MB", "opener, MB")
        tables.append(Table("Memory", columns, rows, note))
    if options.merge:
        rows = [in_fresh_process(merging, kind, options.merge) for kind in ("csv", "parquet")]
        note = f"{SHARDS} shards. The peak has the writing of the shards, too."
        tables.append(Table("Merging", ("format", "rows", "CPU s", "MB"), rows, note))
    intro = (
        f"`{card.name}`, Ray {version_of('ray')}, `--faces {options.faces}`. Faces of 178 x 218, "
        "cut from the example."
    )
    publish(options.name, "Scale", intro, tables, options.results)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments_for(__doc__)
    add = parser.add_argument
    add("--scorer", default=zoo.DEFAULT, help="shipped name or folder (default: %(default)s)")
    add("--faces", default="auto", help="as for facegauge score (default: %(default)s)")
    add("--n", type=int, nargs="*", default=[1000, 10_000], help="pictures")
    add("--rounds", type=int, nargs="*", default=[3, 2], help="for each of --n")
    add("--rows", type=int, nargs="*", default=[2000, 200_000], help="rows for memory")
    add("--merge", type=int, default=1_000_000, help="rows to merge; 0: none")
    add("--name", default="scale", help="of the page (default: %(default)s)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
