"""Portraits: faces cut out in their own pixels, and their degraded copies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facegauge.data.manifests import load_manifest
from facegauge.errors import UsageError
from facegauge.faces.framing import frame_around
from facegauge.faces.spec import PreprocessSpec
from facegauge.images.loading import open_picture
from facegauge.training.methods.mspt.config import PortraitsConfig
from facegauge.training.methods.mspt.portraits import cut_portraits
from mspt_toys import listed, one_face


def cutting(**changes: object) -> PortraitsConfig:
    settings = {"copies": 2, "kinds": ("jpeg", "noise", "dark"), "severity_range": (4.0, 5.0),
                "max_width": 500, "seed": 3}  # fmt: skip
    return PortraitsConfig(**{**settings, **changes})  # type: ignore[arg-type]


def test_faces_are_cut_in_their_own_pixels(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rng = np.random.default_rng(0)
    source = tmp_path / "source"
    source.mkdir()
    pixels = rng.integers(100, 256, (300, 200, 3), np.uint8)
    Image.fromarray(pixels).save(source / "a.png")
    Image.new("RGB", (200, 300)).save(source / "dark.png")
    (source / "z.png").write_bytes(b"no picture")
    spec = PreprocessSpec(width=24, height=30)
    folder = tmp_path / "cuts"
    manifest = load_manifest(source)
    cuts = cut_portraits(manifest, folder, spec, cutting(), detector=one_face)
    assert caplog.messages == [
        f"left out: {source / 'z.png'}: the file is not a picture of a known format, or is damaged",
        f"{source}: no face in 2 of 3 portraits",
    ]
    assert len(cuts) == 3 and set(cuts.group("source")) == {"a.png"}
    assert cuts.group("kind")[0] == "clean" and cuts.group("severity")[0] == "0.00"
    assert len(set(cuts.group("kind"))) == 3

    frame = frame_around(one_face(pixels)[0], spec)
    left, top = round(frame.left), round(frame.top)
    wide, high = round(frame.width), round(frame.height)
    expected = np.pad(pixels, ((300, 300), (300, 300), (0, 0)), "edge")
    expected = expected[300 + top : 300 + top + high, 300 + left : 300 + left + wide]
    clean, *copies = (open_picture(path) for path in cuts.paths)
    assert np.array_equal(clean, expected)
    assert all(copy.shape == clean.shape and (copy != clean).any() for copy in copies)

    again = cut_portraits(manifest, folder, spec, cutting(), detector=lambda _: [])
    assert again.paths == cuts.paths  # what is there is taken as it is
    other = cut_portraits(manifest, tmp_path / "other", spec, cutting(), detector=one_face)
    assert [p.read_bytes() for p in other.paths] == [p.read_bytes() for p in cuts.paths]
    small = cut_portraits(
        manifest, tmp_path / "small", spec, cutting(max_width=30), detector=one_face
    )
    assert open_picture(small.paths[0]).shape[1] == 30


def test_portraits_without_a_face_are_refused(tmp_path: Path) -> None:
    large, spec = listed(tmp_path / "large", 8, 2, 4, width=80), PreprocessSpec(width=24, height=30)
    with pytest.raises(UsageError, match="none of the portraits has a face"):
        cut_portraits(large, tmp_path / "cuts", spec, cutting(), detector=lambda _: [])
