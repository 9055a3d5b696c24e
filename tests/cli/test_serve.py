"""`facegauge serve` says in one line why it cannot start."""

from __future__ import annotations

import os
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


@pytest.mark.parametrize("host", ["", "http://127.0.0.1", "1.2.3.4.5", "a b", "ü" * 80, "-"])
def test_a_host_that_is_no_address(toy_scorer: Path, host: str) -> None:
    told = refusal("--scorer", toy_scorer, "--host", host)
    assert f"{host!r}; expected one of this machine" in told


@pytest.mark.parametrize(
    "origin",
    [
        *("", "photos.example", "https://photos.example/", "https://photos.example/x", "null"),
        *(
            "ftp://photos.example",
            "https://",
            "https://*.example",
            "https://a:0",
            "https://a:99999",
        ),
        *(
            "https://a:",
            "https://a b",
            "https://user@a",
            "https://a?x",
            "https://a\\b",
            "https://ü.de",
        ),
        *("file://", "https://[::1", "https://a,https://b", " https://a", "https://a\n"),
    ],
)
def test_an_origin_that_no_browser_sends(origin: str) -> None:
    told = refusal("--cors-origin", origin)
    assert "expected an origin such as https://example.org" in told


def test_all_origins_stand_alone() -> None:
    assert "* alone, got *, https://a.example" in refusal(
        "--cors-origin", "*", "--cors-origin", "https://a.example"
    )


def test_origins_are_written_as_browsers_send_them() -> None:
    from facegauge.serve.origins import checked_origins

    given = ["HTTPS://A.example:443", "http://localhost:3000", "http://a:80", "https://[::1]:8443"]
    expected = ["https://a.example", "http://localhost:3000", "http://a", "https://[::1]:8443"]
    assert checked_origins(given) == expected
    assert checked_origins(["*"]) == ["*"]


def test_an_unknown_scorer() -> None:
    assert "no scorer 'better'" in refusal("--scorer", "better")


@pytest.mark.parametrize(
    ("key", "given"),
    [
        ("", "an empty text"),
        (" ", "nothing but spaces"),
        ("a b ", "a key with spaces around it"),
        ("schlüssel", "a key with other characters"),
        ("a\tb", "a key with other characters"),
    ],
)
def test_a_key_that_no_client_could_send(
    key: str, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEGAUGE_API_KEY", key)
    told = refusal()
    assert f"FACEGAUGE_API_KEY: got {given}, expected" in told and "unset" in told
    assert not key.strip() or key.strip() not in told


def test_limits_that_do_not_go_together() -> None:
    assert "at least max_files, 32, got 8" in refusal("--queue", "8")
    assert "at least max_body, 64, got 8" in refusal("--max-memory", "8")
    for flag, name in (("--deadline", "deadline"), ("--body-timeout", "body_timeout")):
        for value in ("inf", "1e308", "90000"):
            assert f"expected {name} to be more than 0 and at most 86400" in refusal(flag, value)


@pytest.mark.parametrize("value", ["0", "-1", "nan", "x"])
@pytest.mark.parametrize(
    "flag",
    [
        *("--workers", "--max-body", "--max-files", "--max-memory", "--max-pixels"),
        *("--max-connections", "--queue", "--deadline", "--body-timeout", "--port"),
    ],
)
def test_numbers_that_are_none(flag: str, value: str) -> None:
    if (flag, value) == ("--port", "0"):
        return  # a free one
    done = run("serve", flag, value)
    assert done.exit_code == 2 and flag in done.stderr and "Traceback" not in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="no limit of open files")
def test_more_connections_than_the_system_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    allowed: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda which: (64, 4096))
    monkeypatch.setattr(resource, "setrlimit", lambda which, limits: allowed.append(limits))
    told = refusal("--max-connections", "5000")
    assert "the system allows 4096: lower --max-connections" in told and not allowed
    refusal("--max-connections", "500", "--workers", "1", "--host", "1.2.3.4.5")
    assert allowed == [(604, 4096)]  # of what this process may have, it takes what it needs
