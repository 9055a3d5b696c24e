"""Three small pictures in a folder, for lists of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from toys import noise_picture


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(("000012.png", "b.png", "c.png")):
        noise_picture(number).save(tmp_path / name)
    return tmp_path
