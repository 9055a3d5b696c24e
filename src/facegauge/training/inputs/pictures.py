"""Manifests to pictures in memory: decoded once, cut to the neighbourhood of their frame."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from facegauge.arrays import Pixels
from facegauge.data.manifests import Manifest
from facegauge.errors import PictureError, UsageError
from facegauge.faces.detection import CenterFace, Detector
from facegauge.faces.framing import main_frame
from facegauge.faces.sampling import sample
from facegauge.faces.spec import PreprocessSpec
from facegauge.images.loading import open_picture
from facegauge.results import Box
from facegauge.training.inputs.views import Framed

MARGIN = 0.12  # of the frame's size, kept around it so that jittered frames stay inside


def load_framed(
    manifest: Manifest,
    spec: PreprocessSpec,
    faces: str = "auto",
    say: Callable[[str], None] = print,
    *,
    points: bool = False,
    detector: Detector | None = None,
) -> list[Framed]:
    """Every picture of a manifest, with the frame of its largest face.

    Args:
        faces: "whole" takes each picture as already framed; "auto" detects, and takes a picture
            whole when it is framed already, as scoring does. Pictures without a face are left
            out and counted aloud.
        points: also find the five points of that face; none where no face is found.
        detector: finds the faces, CenterFace by default; used where they are looked for.

    Raises:
        UsageError: a labelled picture cannot be read; the message names it. One without a label is
            left out, and named aloud.
    """
    if faces not in ("auto", "whole"):
        raise UsageError(f"faces must be auto or whole for training, got {faces!r}")
    finder = (detector or CenterFace()) if points or faces == "auto" else None
    load = partial(_load, spec=spec, detector=finder, whole=faces == "whole", points=points)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(load, manifest.paths))
    labels = [None] * len(found) if manifest.scores is None else manifest.scores.tolist()
    framed = []
    for path, one, label in zip(manifest.paths, found, labels, strict=True):
        if isinstance(one, Framed):
            framed.append(replace(one, score=label))
        elif one and label is not None:
            raise UsageError(f"cannot train on {path}: {one}") from one
        elif one:
            say(f"left out: {path}: {one}")
    if faceless := found.count(None):
        say(f"{manifest.source}: no face in {faceless} of {len(found)} pictures")
    return framed


def sampled(framed: list[Framed], spec: PreprocessSpec) -> Pixels:
    """The network's view of every picture, without jitter: (N, H, W, 3) uint8."""
    return np.stack([sample(picture.pixels, picture.frame, spec) for picture in framed])


def _load(
    path: Path, spec: PreprocessSpec, detector: Detector | None, whole: bool, points: bool
) -> Framed | PictureError | None:
    """A picture; why it cannot be read; or None where there is no face."""
    try:
        pixels = open_picture(path)
    except PictureError as error:
        return error
    height, width = pixels.shape[:2]
    faces = detector(pixels) if detector else []
    marks = faces[0].points if points and faces else ()
    if whole:
        return Framed(pixels, Box(0, 0, width, height), points=marks)
    if not faces:
        return None
    return _cut(Framed(pixels, main_frame(faces[0], width, height, spec), points=marks))


def _cut(picture: Framed) -> Framed:
    """Keep only the frame and a margin; the frame and the points move along."""
    pixels, frame = picture.pixels, picture.frame
    height, width = pixels.shape[:2]
    left = int(max(0, min(width - 2, frame.left - MARGIN * frame.width)))
    top = int(max(0, min(height - 2, frame.top - MARGIN * frame.height)))
    right = int(min(width, max(left + 2, frame.right + MARGIN * frame.width + 1)))
    bottom = int(min(height, max(top + 2, frame.bottom + MARGIN * frame.height + 1)))
    return Framed(
        np.ascontiguousarray(pixels[top:bottom, left:right]),
        Box(frame.left - left, frame.top - top, frame.right - left, frame.bottom - top),
        points=tuple((x - left, y - top) for x, y in picture.points),
    )
