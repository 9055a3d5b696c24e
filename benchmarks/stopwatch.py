"""The measurements, each in a fresh process: rates and memory."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

WARM_UP = 16  # pictures before the clock starts


def in_fresh_process(function: Callable[..., T], *arguments: Any) -> T:
    """The result of a function, computed in a new process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


@dataclass(frozen=True)
class Rate:
    """How fast a folder was scored, over several rounds.

    Attributes:
        scored: pictures with a score.
        seconds: wall time of each round.
        cpu_ms: CPU time (user and system, all threads) per picture, the minimum over the rounds.
        peak_mb: peak memory of the process, nan where the system does not report it.
    """

    pictures: int
    scored: int
    seconds: tuple[float, ...]
    cpu_ms: float
    peak_mb: float

    @property
    def best(self) -> float:
        """Pictures per second, in the fastest round."""
        return self.pictures / min(self.seconds)

    @property
    def median(self) -> float:
        """Pictures per second, in the median round."""
        return self.pictures / statistics.median(self.seconds)


def rate(paths: Sequence[Path], scorer: str, faces: str, rounds: int) -> Rate:
    """Scores all paths `rounds` times, as `facegauge score` does."""
    from facegauge import Scorer

    opened = Scorer(scorer, faces=faces)
    list(opened.score_iter(paths[:WARM_UP]))
    seconds, cpu, scored = [], [], 0
    for _ in range(rounds):
        start, start_cpu = time.perf_counter(), cpu_seconds()
        scored = sum(result.score is not None for result in opened.score_iter(paths))
        seconds.append(time.perf_counter() - start)
        cpu.append(1000 * (cpu_seconds() - start_cpu) / len(paths))
    return Rate(len(paths), scored, tuple(seconds), min(cpu), memory_mb("VmHWM"))


def with_threads(
    paths: Sequence[Path], scorer: str, faces: str, counts: Sequence[int], rounds: int
) -> dict[int, list[float]]:
    """Pictures a second of each round by number of threads; the numbers take turns."""
    from facegauge import Scorer

    opened = {count: Scorer(scorer, faces=faces, threads=count) for count in counts}
    found: dict[int, list[float]] = {count: [] for count in counts}
    for one in opened.values():
        list(one.score_iter(paths[:WARM_UP]))
    for _ in range(rounds):
        for count, one in opened.items():
            start = time.perf_counter()
            list(one.score_iter(paths))
            found[count].append(len(paths) / (time.perf_counter() - start))
    return found


def footprint(
    paths: Sequence[Path], scorer: str, faces: str, total: int, every: int
) -> list[tuple[int, float]]:
    """(pictures scored, resident MB) at intervals while the paths are scored repeatedly."""
    from itertools import cycle, islice

    from facegauge import Scorer

    results = Scorer(scorer, faces=faces).score_iter(islice(cycle(paths), total))
    return [
        (number, memory_mb("VmRSS")) for number, _ in enumerate(results, 1) if number % every == 0
    ]


def cpu_seconds() -> float:
    """CPU time of this process so far."""
    return time.process_time()


def memory_mb(field: str) -> float:
    """VmRSS (now) or VmHWM (peak) of this process; nan where there is no /proc."""
    status = Path("/proc/self/status")
    for line in status.read_text().splitlines() if status.is_file() else ():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024 / 1e6
    return float("nan")
