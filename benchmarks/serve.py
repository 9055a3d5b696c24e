"""What does the service cost beside `Scorer`, and how does it behave under load?

    python benchmarks/serve.py
    python benchmarks/serve.py --faces faces/ --clients 1 8 32 --n 1000

`Scorer` scores a folder of faces in a process of its own. Then `facegauge serve` gets the same
files, one in a request, from 1, 8 and 32 clients that each send the next when they have an answer.
The CPU time of the service, server and workers, is read from /proc, so this runs on Linux; that of
the clients does not count. On a busy machine read the CPU columns and the ratio.

Without `--faces` the pictures are made from `examples/astronaut.jpg`.
"""

from __future__ import annotations

import argparse
import http.client
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from queue import Empty, SimpleQueue

import material
from page import Table, arguments_for, cpus, name_of, publish
from stopwatch import in_fresh_process, rate

from facegauge import zoo

COMMAND = "from facegauge.cli import main; main()"
TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
START_LIMIT = 120.0  # seconds until the service is ready
COLUMNS = (
    "clients", "requests", "not answered 200", "CPU ms: server", "CPU ms: workers",
    "CPU ms: Scorer", "ratio", "requests per second", "p50, ms", "p95, ms", "p99, ms",
)  # fmt: skip


@dataclass(frozen=True)
class Service:
    """A service that runs: its process and its port."""

    pid: int
    port: int

    def processes(self) -> list[int]:
        """The server, and then its workers."""
        children = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                if int(stat.read_text().rpartition(")")[2].split()[1]) == self.pid:
                    children.append(int(stat.parent.name))
        return [self.pid, *children]

    def cpu_ms(self) -> tuple[float, float]:
        """CPU time so far: of the server, and of all its workers."""
        server, *workers = (_cpu_ms(pid) for pid in self.processes())
        return server, sum(workers)

    def memory_mb(self) -> float:
        """Resident memory of all processes; pages that they share count more than once."""
        pages = (int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in self.processes())
        return sum(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    card = zoo.load_card(zoo.open_folder(options.scorer))
    with tempfile.TemporaryDirectory() as place:
        paths = material.faces(options.faces, Path(place, "faces"), options.pictures)
        alone = in_fresh_process(rate, paths, options.scorer, "auto", options.rounds)
        files = [path.read_bytes() for path in paths]
        with running(options.scorer, options.workers, Path(place, "log")) as service:
            load(service, files, 4, 4 * options.workers)  # warm
            rows = [measure(service, files, n, options.n, alone.cpu_ms) for n in options.clients]
            memory = footprint(service, files, options.memory_n)
    intro = (
        f"`{card.name}`, {options.workers} workers, one picture in a request. Pictures made from "
        f"{name_of(options.faces or material.EXAMPLE)}. `Scorer` took {alone.cpu_ms:.1f} ms of CPU "
        f"time for each picture."
    )
    note = (
        "CPU time is for each request. The ratio is that of `Scorer` to that of server and workers "
        "together: the share of its faces per second that the service reaches on the same CPUs. "
        "The last four columns depend on what else the machine does."
    )
    tables = [Table("Load", COLUMNS, rows, note)]
    if memory:
        note = "Server and workers together, while 8 clients send."
        tables.append(Table("Resident memory", ("requests", "MB"), memory, note))
    publish("serve", "Service", intro, tables, options.results)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments_for(__doc__)
    add = parser.add_argument
    add("--scorer", default=zoo.DEFAULT, help="shipped name or folder (default: %(default)s)")
    add("--faces", type=Path, metavar="FOLDER", help="framed faces, preferably 178 x 218")
    add("--workers", type=int, default=cpus(), help="worker processes (default: one per CPU)")
    add("--clients", type=int, nargs="+", default=[1, 8, 32], help="clients at a time")
    add("--n", type=int, default=1000, help="requests of a row (default: %(default)s)")
    add("--pictures", type=int, default=200, help="pictures in turn (default: %(default)s)")
    add("--rounds", type=int, default=3, help="rounds of Scorer (default: %(default)s)")
    add("--memory-n", type=int, default=10_000,
        help="requests for memory; 0 leaves it out (default: %(default)s)")  # fmt: skip
    return parser.parse_args(arguments)


@contextmanager
def running(scorer: str, workers: int, log: Path) -> Iterator[Service]:
    """The service on a free port, ready."""
    words = ["serve", "--port", "0", "--scorer", scorer, "--workers", str(workers)]
    with log.open("wb") as stream:
        process = subprocess.Popen([sys.executable, "-c", COMMAND, *words], stderr=stream)
    try:
        yield Service(process.pid, _ready_port(process, log))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _ready_port(process: subprocess.Popen[bytes], log: Path) -> int:
    end = time.monotonic() + START_LIMIT
    while time.monotonic() < end and process.poll() is None:
        time.sleep(0.1)
        if listens := re.search(r"listening on http://127\.0\.0\.1:(\d+)", log.read_text()):
            port = int(listens[1])
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_LIMIT)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return port
    sys.exit(f"facegauge serve did not start:\n{log.read_text()}")


def load(
    service: Service, files: Sequence[bytes], clients: int, n: int
) -> tuple[list[float], list[int]]:
    """Seconds and status of each of n requests."""
    waiting: SimpleQueue[bytes] = SimpleQueue()
    for data in islice(cycle(files), n):
        waiting.put(data)

    def client() -> list[tuple[float, int]]:
        connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=120)
        done = []
        with suppress(Empty):
            while True:
                data = waiting.get_nowait()
                begun = time.perf_counter()
                connection.request("POST", "/v1/score", data, {"Content-Type": "image/jpeg"})
                response = connection.getresponse()
                response.read()
                done.append((time.perf_counter() - begun, response.status))
        connection.close()
        return done

    with ThreadPoolExecutor(clients) as pool:
        started = [pool.submit(client) for _ in range(clients)]
        done = [one for each in started for one in each.result()]
    return [seconds for seconds, _ in done], [status for _, status in done]


def measure(
    service: Service, files: Sequence[bytes], clients: int, n: int, alone: float
) -> tuple[object, ...]:
    """A row of the table."""
    before, begun = service.cpu_ms(), time.perf_counter()
    seconds, statuses = load(service, files, clients, n)
    wall, after = time.perf_counter() - begun, service.cpu_ms()
    server, workers = ((late - early) / n for early, late in zip(before, after, strict=True))
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return (
        clients, n, sum(status != 200 for status in statuses), f"{server:.1f}", f"{workers:.1f}",
        f"{alone:.1f}", f"{alone / (server + workers):.2f}", f"{n / wall:.0f}",
        *(f"{1000 * cuts[percent - 1]:.0f}" for percent in (50, 95, 99)),
    )  # fmt: skip


def footprint(service: Service, files: Sequence[bytes], n: int) -> list[tuple[int, str]]:
    """Requests sent and resident MB, at a tenth and at the end of n requests."""
    if not n:
        return []
    load(service, files, 8, n // 10)
    early = service.memory_mb()
    load(service, files, 8, n - n // 10)
    return [(n // 10, f"{early:.0f}"), (n, f"{service.memory_mb():.0f}")]


def _cpu_ms(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return 1000 * (int(words[11]) + int(words[12])) / TICKS


if __name__ == "__main__":
    main()
