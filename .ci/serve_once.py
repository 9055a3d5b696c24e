"""Starts a service by its command line, has it score the examples, and ends it.

    python .ci/serve_once.py facegauge serve

The port has to be 8000 in the command, or left out; another one is used that is free. With
--user UID the service runs as that user, if that user may run it, and finds no home and no folder
for temporary files; with --healthy COMMAND it is ready when that command, in JSON, ends with 0.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.jpg"))
PORT = "8000"
PATIENCE = 600.0  # seconds


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    port = free_port()
    command = [word.replace(PORT, port) for word in options.command]
    if port not in command:
        command += ["--port", port]
    user = options.user if may_run(options.user, command[0]) else None
    process = subprocess.Popen(command, user=user, env=environment(options.user))
    try:
        wait_for(json.loads(options.healthy.replace(PORT, port)), process)
        check_scores(port)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, f"ended with {process.returncode}"
    finally:
        process.kill()
    print(f"{' '.join(options.command)}: scored {len(EXAMPLES)} pictures, and ended in order")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    ask = "import sys, urllib.request; urllib.request.urlopen(sys.argv[1])"
    healthy = json.dumps([sys.executable, "-c", ask, f"http://127.0.0.1:{PORT}/readyz"])
    parser = argparse.ArgumentParser()
    parser.add_argument("--user", type=int)
    parser.add_argument("--healthy", default=healthy)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    return parser.parse_args(arguments)


def environment(user: int | None) -> dict[str, str]:
    nowhere = "/nonexistent"
    unwritable = dict.fromkeys(("HOME", "TMPDIR"), nowhere) if user is not None else {}
    return {**os.environ, **unwritable, "PYTHONDONTWRITEBYTECODE": "1"}


def may_run(user: int | None, program: str) -> bool:
    """Whether a user reaches a program; not if its Python lies in somebody's home."""
    try:
        subprocess.run([program, "--version"], user=user, capture_output=True, check=True)
    except PermissionError:
        print(f"user {user} may not run {program}; this user does", flush=True)
        return False
    return True


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return str(free.getsockname()[1])


def wait_for(check: list[str], process: subprocess.Popen[bytes]) -> None:
    """Until a command ends with 0."""
    end = time.monotonic() + PATIENCE
    while subprocess.run(check, capture_output=True, check=False).returncode:
        assert process.poll() is None, "the service did not start"
        assert time.monotonic() < end, "the service is not ready"
        time.sleep(0.3)


def check_scores(port: str) -> None:
    """Each example has a score, and what people and programs read is there."""
    for picture in EXAMPLES:
        headers = {"Content-Type": "image/jpeg"}
        answer = ask(port, "POST", "/v1/score", picture.read_bytes(), headers)
        (entry,) = json.loads(answer)["pictures"]
        assert entry["status"] == "ok" and 0 < entry["faces"][0]["score"] < 1, entry
    assert b"<!doctype html>" in ask(port, "GET", "/")
    assert "/v1/score" in json.loads(ask(port, "GET", "/openapi.json"))["paths"]
    assert b"facegauge_faces_total" in ask(port, "GET", "/metrics")


def ask(port: str, method: str, path: str, body: bytes = b"", headers: dict | None = None) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=60)
    connection.request(method, path, body or None, headers or {})
    answer = connection.getresponse()
    data = answer.read()
    assert answer.status == 200, (path, answer.status, data)
    return data


if __name__ == "__main__":
    main()
