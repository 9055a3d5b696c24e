"""What lists without labels hold out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from facegauge.data.manifests import load_manifest
from facegauge.training.held_out import split_held_out
from mspt_toys import listed


def test_pictures_are_held_out_by_split_or_by_name(tmp_path: Path) -> None:
    split = listed(tmp_path / "split", 6, 0, 3)
    plain = tmp_path / "plain"
    plain.mkdir()
    for number in range(60):
        Image.new("RGB", (4, 5)).save(plain / f"{number}.png")
    folder = load_manifest(plain)
    train, held = split_held_out([split, folder])
    names = {path.name for path in held.paths if path.parent == plain}
    assert {path.name for path in held.paths if path.parent != plain} == {"0.png", "3.png"}
    assert len(train) + len(held) == 66 and not set(train.paths) & set(held.paths)
    assert 2 <= len(names) <= 15 and train.splits is None
    turned = split_held_out([folder.take(np.arange(60)[::-1])])[1]
    assert {path.name for path in turned.paths} == names
