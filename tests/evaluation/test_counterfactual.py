"""The same degradations on every picture, in the frame of the undamaged one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facegauge.data.degradations import degrade
from facegauge.data.manifests import load_manifest
from facegauge.evaluation.counterfactual import KINDS, score_drops
from facegauge.faces.sampling import sample
from facegauge.images.loading import open_picture
from facegauge.results import Box, Face
from toys import TOY_SPEC, ToyPredictor, noise_picture, write_manifest

SPREAD = ToyPredictor("spread", "", TOY_SPEC, lambda images: images.std((1, 2, 3)))


def test_drops_are_those_of_the_degraded_pictures(tmp_path: Path) -> None:
    for seed in range(2):
        noise_picture(seed, (24, 32)).save(tmp_path / f"{seed}.png")
    (tmp_path / "bad.png").write_bytes(b"no picture")
    rows: list[dict[str, object]] = [{"image": name} for name in ("0.png", "bad.png", "1.png")]
    manifest = load_manifest(write_manifest(tmp_path / "list.csv", rows))
    drops = score_drops(SPREAD, manifest, "whole", seed=3)
    assert tuple(drops.values) == KINDS and drops.values["noise"].shape == (3, 3)
    assert np.isnan(drops.mean("jpeg")[1])
    pixels = open_picture(tmp_path / "1.png")
    for severity in (1, 2, 3):
        copy = degrade(pixels, "gaussian_blur", severity, np.random.default_rng(3))
        expected = (pixels / 255).std() - (copy / 255).std()
        assert drops.values["gaussian_blur"][2, severity - 1] == pytest.approx(expected, abs=1e-6)
    assert (np.diff(drops.values["gaussian_blur"][2]) > 0).all()


def test_the_face_is_searched_in_the_undamaged_picture_only(tmp_path: Path) -> None:
    Image.new("RGB", (200, 260), (90, 120, 60)).save(tmp_path / "0.png")
    manifest = load_manifest(tmp_path)
    seen: list[bytes] = []

    def detector(pixels: np.ndarray) -> list[Face]:
        seen.append(pixels.tobytes())
        return [
            Face(Box(60, 70, 110, 140), 0.9, ((70, 95), (95, 95), (82, 110), (73, 125), (92, 125)))
        ]

    spec = replace(TOY_SPEC)
    level = ToyPredictor("level", "", spec, lambda images: images.mean((1, 2, 3)))
    drops = score_drops(level, manifest, detector=detector)
    assert len(seen) == 1
    dark = degrade(open_picture(tmp_path / "0.png"), "dark", 2, np.random.default_rng(0))
    before, after = 90 + 120 + 60, float(sample(dark, Box(0, 0, 200, 260), spec).sum(2).mean())
    assert drops.values["dark"][0, 1] == pytest.approx((before - after) / 765, abs=5e-3)
