"""Workers that die, queues that fill, clients that leave, and an orderly end."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from serving import PNG, Answer, Server, form, png, serving, until

SCORE = "/v1/score?faces=whole"
ONE = [("one", png())]
TWO = [("first", png()), ("second", png(102))]


@pytest.fixture
def start(toy: Path, tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts a server with the toy scorer, one worker and some options."""
    with ExitStack() as servers:

        def begin(*options: str, workers: int = 1) -> Server:
            given = ("--scorer", str(toy), "--workers", str(workers), *options)
            return servers.enter_context(serving(tmp_path, *given))

        yield begin


def test_a_worker_that_dies_costs_its_own_picture(start: Callable[..., Server]) -> None:
    server = start()
    (idle,) = server.workers()
    os.kill(idle, signal.SIGKILL)
    until(lambda: server.workers() not in ([], [idle]), "another worker")
    assert server.post(SCORE, ONE).status == 200  # which was nobody's

    server.signal_workers(signal.SIGSTOP)  # it begins the first picture, and hangs
    waiting = server.later(SCORE, TWO)
    server.busy(2)
    server.signal_workers(signal.SIGKILL)
    first, second = waiting.result().json["pictures"]
    assert (first["path"], first["status"], first["faces"]) == ("first", "error", [])
    assert "SIGKILL" in first["message"]
    assert (second["status"], len(second["faces"])) == ("ok", 1)

    server.signal_workers(signal.SIGSTOP)
    alone = server.later(SCORE, ONE)
    server.busy(1)
    server.signal_workers(signal.SIGKILL)
    answer = alone.result()
    assert answer.status == 504 and "SIGKILL" in answer.json["detail"]
    assert server.post(SCORE, ONE).status == 200
    assert server.metric("facegauge_workers_replaced_total") == 3
    assert server.ready


@pytest.mark.slow
def test_a_picture_that_takes_too_long_costs_only_itself(start: Callable[..., Server]) -> None:
    server = start("--deadline", "1")
    server.signal_workers(signal.SIGSTOP)
    late, other = server.later(SCORE, TWO).result().json["pictures"]
    assert (late["status"], other["status"]) == ("error", "ok")
    assert "took longer than 1 s" in late["message"]
    server.signal_workers(signal.SIGSTOP)
    answer = server.post(SCORE, ONE)
    assert answer.status == 504 and "took longer than 1 s" in answer.json["detail"]


def test_a_full_queue_refuses_and_a_client_that_leaves_frees_its_places(
    start: Callable[..., Server],
) -> None:
    server = start("--queue", "4", "--max-files", "3", "--deadline", "60", "--max-memory", "64")
    server.signal_workers(signal.SIGSTOP)
    first = server.later(SCORE, ONE)
    server.busy(1)
    second = server.later(SCORE, TWO)
    server.busy(3)
    refused = server.post(SCORE, TWO)  # one place is left
    assert refused.status == 429 and int(refused.headers["retry-after"]) >= 1
    assert (refused.json["limit"], refused.json["value"]) == ("queue", 4)

    body = form(ONE)
    with socket.create_connection(("127.0.0.1", server.port), 60) as client:
        head = f"POST {SCORE} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        client.sendall(f"{head}Content-Type: multipart/form-data; boundary=zzz\r\n\r\n".encode())
        client.sendall(body)
        server.busy(4)
        full = server.post(SCORE, ONE)
        assert full.status == 429 and full.json["limit"] == "queue"
    server.busy(3)  # it went away

    with socket.create_connection(("127.0.0.1", server.port), 60) as client:
        client.sendall(f"{head.replace(str(len(body)), '60000000')}Content-Type: image/png\r\n"
                       "\r\n".encode() + bytes(40_000_000))  # fmt: skip
        held = until(lambda: server.metric("facegauge_held_bytes") > 40e6, "the bytes to come")
        assert held
        over = server.ask("POST", SCORE, bytes(30_000_000), PNG)
        assert over.status == 429 and over.json["limit"] == "max_memory"
    server.signal_workers(signal.SIGCONT)
    assert [one.result().status for one in (first, second)] == [200, 200]
    server.busy(0)
    assert server.metric('facegauge_requests_total{path="/v1/score",status="499"}') == 2
    until(lambda: server.metric("facegauge_held_bytes") == 0, "the bytes to be freed")


@pytest.mark.slow
def test_connections_are_limited(start: Callable[..., Server]) -> None:
    server = start("--max-connections", "3")
    with ExitStack() as held:
        for _ in range(3):
            held.enter_context(socket.create_connection(("127.0.0.1", server.port), 60))
        answer = until(lambda: _refused(server), "a refusal")
        assert answer.json["limit"] == "max_connections" and answer.headers["retry-after"] == "1"
    until(lambda: not _refused(server), "a free place")


def _refused(server: Server) -> Answer | None:
    answer = server.get("/healthz")
    return answer if answer.status == 503 else None


def test_sigterm_answers_what_was_accepted(start: Callable[..., Server]) -> None:
    server = start("--deadline", "60", workers=2)
    server.signal_workers(signal.SIGSTOP)
    waiting = [server.later(SCORE, TWO) for _ in range(8)]
    server.busy(16)
    (address,) = {("127.0.0.1", server.port)}
    with socket.create_connection(address, 60) as late:
        server.process.send_signal(signal.SIGTERM)
        until(lambda: "stopping" in server.log.read_text(), "the signal to arrive")
        for pid in server.workers():
            os.kill(pid, signal.SIGTERM)  # as systemd does
        late.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b"".join(iter(lambda: late.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 503 ") and b"retry-after" in answer.lower()
    server.signal_workers(signal.SIGCONT)
    assert [one.result().status for one in waiting] == [200] * 8
    assert server.process.wait(60) == 0
    assert not server.workers()
    with pytest.raises(OSError):
        server.get("/healthz")


@pytest.mark.slow
def test_a_second_ctrl_c_ends_at_once_and_no_worker_is_left(start: Callable[..., Server]) -> None:
    server = start("--deadline", "60")
    server.signal_workers(signal.SIGSTOP)
    waiting = server.later(SCORE, TWO)
    server.busy(2)
    server.process.send_signal(signal.SIGINT)
    until(lambda: "stopping" in server.log.read_text(), "the signal to arrive")
    server.process.send_signal(signal.SIGINT)
    answer = waiting.result()
    assert answer.status == 503 and "stopping" in answer.json["detail"]
    assert server.process.wait(60) == 130
    assert server.log.read_text().endswith("facegauge: stopped\n") and not server.workers()


@pytest.mark.slow
def test_workers_end_with_a_server_that_is_killed(start: Callable[..., Server]) -> None:
    server = start(workers=2)
    workers = server.workers()
    assert len(workers) == 2
    server.process.kill()
    until(lambda: not any(Path(f"/proc/{pid}/cmdline").exists() for pid in workers), "their end")
