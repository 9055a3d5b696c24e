"""`facegauge serve` says in one line why it cannot start."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from commands import run


@pytest.fixture(autouse=True)
def without_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FACEGAUGE_API_KEY", raising=False)


def refusal(*options: str | Path) -> str:
    done = run("serve", *options)
    assert done.exit_code == 2, done.output
    assert done.stderr.startswith("facegauge: ") and done.stderr.count("\n") == 1
    return str(done.stderr)


def test_an_extra_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    from facegauge import errors

    find = errors.importlib.util.find_spec
    monkeypatch.setattr(errors.importlib.util, "find_spec",
                        lambda name: None if name == "uvicorn" else find(name))  # fmt: skip
    assert "pip install 'facegauge[serve]'" in refusal()


def test_a_port_that_is_taken(toy_scorer: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        told = refusal("--scorer", toy_scorer, "--port", port)
    assert f"127.0.0.1, port {port}" in told and "choose another --host or --port" in told


def test_a_host_that_is_not_ours(toy_scorer: Path) -> None:
    assert "203.0.113.1" in refusal("--scorer", toy_scorer, "--host", "203.0.113.1")


def test_an_unknown_scorer() -> None:
    assert "no scorer 'better'" in refusal("--scorer", "better")


@pytest.mark.parametrize("key", ["", " ", "a b ", "schlüssel"])
def test_a_key_that_no_client_could_send(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEGAUGE_API_KEY", key)
    told = refusal()
    assert "FACEGAUGE_API_KEY" in told and (not key.strip() or key.strip() not in told)


def test_limits_that_do_not_go_together() -> None:
    assert "at least max_files, 32, got 8" in refusal("--queue", "8")
    assert "at least max_body, 64, got 8" in refusal("--max-memory", "8")
    assert "deadline" in refusal("--deadline", "inf")
