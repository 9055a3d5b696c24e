"""Manifests to pictures in memory: decoded once, cut to the neighbourhood of their frame."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from facegauge.detection import CenterFace, Detector
from facegauge.errors import PictureError, UsageError
from facegauge.images import open_picture
from facegauge.preprocess import Pixels, PreprocessSpec, main_frame, sample
from facegauge.results import Box
from facegauge.training.manifests import Manifest
from facegauge.training.views import Framed

MARGIN = 0.12  # of the frame's size, kept around it so that jittered frames stay inside


def load_framed(
    manifest: Manifest,
    spec: PreprocessSpec,
    faces: str = "auto",
    say: Callable[[str], None] = print,
) -> list[Framed]:
    """Every picture of a manifest, with the frame of its largest face.

    Args:
        faces: "whole" takes each picture as already framed; "auto" detects, and takes a picture
            whole when it is framed already, as scoring does. Pictures without a face are left
            out and counted aloud.

    Raises:
        UsageError: a picture cannot be read; the message names it.
    """
    if faces not in ("auto", "whole"):
        raise UsageError(f"faces must be auto or whole for training, got {faces!r}")
    detector = CenterFace() if faces == "auto" else None
    load = partial(_load, spec=spec, detector=detector)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(load, manifest.paths))
    labels = [None] * len(found) if manifest.scores is None else manifest.scores.tolist()
    framed = [Framed(*one, label) for one, label in zip(found, labels, strict=True) if one]
    if len(framed) < len(found):
        say(f"{manifest.source}: no face in {len(found) - len(framed)} of {len(found)} pictures")
    return framed


def sampled(framed: list[Framed], spec: PreprocessSpec) -> Pixels:
    """The network's view of every picture, without jitter: (N, H, W, 3) uint8."""
    return np.stack([sample(picture.pixels, picture.frame, spec) for picture in framed])


def _load(path: Path, spec: PreprocessSpec, detector: Detector | None) -> tuple[Pixels, Box] | None:
    try:
        pixels = open_picture(path)
    except PictureError as error:
        raise UsageError(f"cannot train on {path}: {error}") from error
    height, width = pixels.shape[:2]
    if detector is None:
        return pixels, Box(0, 0, width, height)
    faces = detector(pixels)
    return _cut(pixels, main_frame(faces[0], width, height, spec)) if faces else None


def _cut(pixels: Pixels, frame: Box) -> tuple[Pixels, Box]:
    """Keep only the frame and a margin; the frame moves along."""
    height, width = pixels.shape[:2]
    left = int(max(0, min(width - 2, frame.left - MARGIN * frame.width)))
    top = int(max(0, min(height - 2, frame.top - MARGIN * frame.height)))
    right = int(min(width, max(left + 2, frame.right + MARGIN * frame.width + 1)))
    bottom = int(min(height, max(top + 2, frame.bottom + MARGIN * frame.height + 1)))
    kept = np.ascontiguousarray(pixels[top:bottom, left:right])
    return kept, Box(frame.left - left, frame.top - top, frame.right - left, frame.bottom - top)
