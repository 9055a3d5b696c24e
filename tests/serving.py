"""Runs `facegauge serve` as a process of its own, and talks to it over a socket."""

from __future__ import annotations

import http.client
import io
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from commands import MAIN

PATIENCE = 60.0  # seconds; nothing here is measured by them
FORM = {"Content-Type": "multipart/form-data; boundary=zzz"}
PNG = {"Content-Type": "image/png"}

Files = Sequence[tuple[str, bytes]]


def form(files: Files, field: str = "files") -> bytes:
    """A form with files, between boundaries zzz."""
    disposition = f'--zzz\r\nContent-Disposition: form-data; name="{field}"; filename='
    parts = [f'{disposition}"{name}"\r\n\r\n'.encode() + data for name, data in files]
    return b"\r\n".join([*parts, b"--zzz--\r\n"])


def png(level: int = 51, size: tuple[int, int] = (48, 64)) -> bytes:
    """An even grey picture."""
    file = io.BytesIO()
    Image.new("RGB", size, (level,) * 3).save(file, "PNG")
    return file.getvalue()


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def until(condition: Callable[[], Any], what: str) -> Any:
    """The first true value of a condition."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError(f"waited in vain for {what}")


@dataclass
class Server:
    process: subprocess.Popen[bytes]
    log: Path
    port: int = 0
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(40))

    def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] = {}
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, headers=headers)

    def post(self, path: str, files: Files, field: str = "files") -> Answer:
        return self.ask("POST", path, form(files, field), FORM)

    def later(self, path: str, files: Files) -> Future[Answer]:
        return self._pool.submit(self.post, path, files)

    def metric(self, name: str) -> float:
        line = re.search(rf"^{name} (\S+)$", self.get("/metrics").body.decode(), re.MULTILINE)
        assert line, name
        return float(line[1])

    def busy(self, pictures: int) -> None:
        until(lambda: self.metric("facegauge_queue_pictures") == pictures, f"{pictures} in queue")

    @property
    def ready(self) -> bool:
        return self.get("/readyz").status == 200

    def workers(self) -> list[int]:
        """Process numbers of the workers that live."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                words = stat.read_text().rpartition(")")[2].split()
                command = stat.with_name("cmdline").read_bytes()
                if int(words[1]) == self.process.pid and b"spawn_main" in command:
                    found.append(int(stat.parent.name))
        return sorted(found)

    def signal_workers(self, number: int) -> None:
        for pid in self.workers():
            os.kill(pid, number)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


@contextmanager
def serving(folder: Path, *options: str, **environment: str) -> Iterator[Server]:
    """A server on a free port, with every worker ready."""
    log = folder / "serve.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [*MAIN, "serve", "--port", "0", *options],
            stdout=stream,
            stderr=stream,
            env={**os.environ, **environment},
        )
    server = Server(process, log)

    def port() -> Any:
        assert process.poll() is None, log.read_text()
        return re.search(r"listening on http://127\.0\.0\.1:(\d+)", log.read_text())

    try:
        server.port = int(until(port, "the server")[1])
        until(lambda: server.ready, "the workers")
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        server.signal_workers(signal.SIGCONT)
        try:
            process.wait(PATIENCE)
        finally:
            process.kill()
            server._pool.shutdown(cancel_futures=True)
