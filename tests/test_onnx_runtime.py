"""No run sends anything or leaves anything in the user's home, though a dependency would."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from commands import MAIN
from facegauge.onnx_runtime import TELEMETRY_OFF, import_onnxruntime

ASTRONAUT = Path(__file__).parents[1] / "examples" / "astronaut.jpg"
GUARD = """
import os, sys

def watch(event, arguments):
    if event.startswith("socket."):
        with open(os.environ["GUARD_LOG"], "a") as log:
            print(event, arguments, file=log)

sys.addaudithook(watch)
"""
CI_WORDS = ("CI", "GITHUB", "BUILD", "TF_", "JENKINS", "TRAVIS", "GITLAB", "TEAMCITY", "CIRCLE")


def people_s_environment(tmp_path: Path) -> dict[str, str]:
    """Without the variables that say that this is CI, which keep dependencies quiet."""
    (tmp_path / "guard").mkdir()
    (tmp_path / "guard" / "sitecustomize.py").write_text(GUARD)
    (tmp_path / "home").mkdir()
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith((*CI_WORDS, "ORT_", "XDG_", "APPVEYOR", "CODEBUILD"))
    }
    path = os.pathsep.join([str(tmp_path / "guard"), os.environ.get("PYTHONPATH", "")])
    home = str(tmp_path / "home")
    return kept | {
        "PYTHONPATH": path.rstrip(os.pathsep),
        "GUARD_LOG": str(tmp_path / "sockets.txt"),
        **dict.fromkeys(("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "XDG_CACHE_HOME"), home),
    }


def traced(tmp_path: Path) -> list[str]:
    """A prefix that records the network calls of native code too, where strace is installed."""
    strace = shutil.which("strace")
    words = [strace or "", "-f", "-qq", "-e", "trace=connect,sendto", "-o", str(tmp_path / "calls")]
    works = strace and not subprocess.run([*words, "true"], check=False).returncode
    return words if works else []


def test_a_run_opens_no_connection_and_leaves_nothing_at_home(tmp_path: Path) -> None:
    environment, prefix = people_s_environment(tmp_path), traced(tmp_path)
    for words in (["score", str(ASTRONAUT)], ["doctor"], ["score", str(ASTRONAUT), "-o", "t.csv"]):
        done = subprocess.run(
            [*prefix, *MAIN, *words],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert [str(file) for file in (tmp_path / "home").rglob("*")] == []
        assert not (tmp_path / "sockets.txt").exists(), (tmp_path / "sockets.txt").read_text()
        if prefix:
            calls = (tmp_path / "calls").read_text()
            assert "AF_INET" not in calls, calls


def test_the_guard_sees_a_connection(tmp_path: Path) -> None:
    code = "import socket; socket.getaddrinfo('127.0.0.1', 9)"
    environment = people_s_environment(tmp_path)
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert "socket.getaddrinfo" in (tmp_path / "sockets.txt").read_text()


def test_what_the_user_has_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TELEMETRY_OFF, "0")
    import_onnxruntime()
    assert os.environ[TELEMETRY_OFF] == "0"
    monkeypatch.delenv(TELEMETRY_OFF)
    import_onnxruntime()
    assert os.environ[TELEMETRY_OFF] == "1"
