"""Runs the command line: in this process, or as a process of its own."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from facegauge import cli

MAIN = [sys.executable, "-m", "facegauge"]


def heeds_interrupts() -> None:
    """A shell's background jobs ignore SIGINT, and so would all that they start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def run(*arguments: str | Path, stdin: bytes = b"", **options: Any) -> Result:
    return CliRunner().invoke(cli.app, [str(a) for a in arguments], input=stdin, **options)
