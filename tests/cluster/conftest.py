"""Folders that refuse what is written into them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


def mount(folder: Path, options: str) -> Iterator[Path]:
    """A folder in memory, for root, who may write whatever the modes of folders say."""
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if not hasattr(os, "geteuid") or os.geteuid() or subprocess.run(words, check=False).returncode:
        pytest.skip("needs the right to mount")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system that is read-only."""
    yield from mount(tmp_path / "read_only", "ro")


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system without room."""
    for folder in mount(tmp_path / "full", "size=4k"):
        (folder / "all").write_bytes(bytes(4096))
        yield folder
