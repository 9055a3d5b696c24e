"""Manifests to framed pictures: decoded once, cut to the neighbourhood of their frame."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial

import numpy as np

from facegauge.arrays import FloatArray, Pixels
from facegauge.data.manifests import Manifest
from facegauge.errors import UsageError
from facegauge.faces.detection import Detector
from facegauge.faces.extraction import FaceExtractor
from facegauge.faces.framing import part_of
from facegauge.faces.guide import is_whole, landmarks_in, octaves
from facegauge.faces.located import Located
from facegauge.faces.policy import ExtractionPolicy
from facegauge.faces.sampling import sample_frame
from facegauge.faces.spec import PreprocessSpec
from facegauge.progress import track
from facegauge.results import Box, Status
from facegauge.training.inputs.picture_file import PictureFile
from facegauge.training.inputs.views import Framed

MARGIN = 0.12  # of the frame's size, kept around it so that jittered frames stay inside
FACELESS = (Status.NO_FACE, Status.TOO_SMALL)

logger = logging.getLogger(__name__)


def load_framed(
    manifest: Manifest,
    spec: PreprocessSpec,
    faces: str = "auto",
    *,
    points: bool = False,
    detector: Detector | None = None,
    into: PictureFile | None = None,
) -> list[Framed]:
    """Every picture of a manifest, with the frame of its largest face.

    Pictures without a face, and those whose largest face is smaller than scoring takes, are left
    out, and so are pictures without a label that cannot be read; the log says how many and which.

    Args:
        manifest: the pictures, and their labels if it has any.
        spec: framing of the faces.
        faces: "whole" takes each picture as already framed; "auto" detects, and takes a picture
            whole when it is framed already, as scoring does.
        points: also find the five points of that face; none where no face is found.
        detector: finds the faces, CenterFace by default; used where they are searched for.
        into: takes the pixels; without a file they stay in memory.

    Raises:
        UsageError: a labelled picture cannot be read; the message names it.
    """
    policy = ExtractionPolicy.of_one_face(faces, landmarks=points)
    extractor = FaceExtractor(spec, policy, detector)
    labels = [None] * len(manifest) if manifest.scores is None else manifest.scores.tolist()
    framed: list[Framed] = []
    left_out: Counter[Status] = Counter()
    what = "searching faces" if faces == "auto" or points else "reading pictures"
    with closing(extractor.map(manifest.paths, partial(_cut, points=points))) as cut:
        rows = track(zip(cut, labels, strict=True), what, total=len(labels))
        for (located, picture), label in rows:
            if picture is not None:
                pixels = picture.source if into is None else into.add(picture.pixels)
                framed.append(replace(picture, source=pixels, score=label))
            elif located.status in FACELESS:
                left_out[located.status] += 1
            elif label is not None:
                raise UsageError(f"cannot train on {located.name}: {located.message}")
            else:
                logger.warning("left out: %s: %s", located.name, located.message)
    for status, what in zip(FACELESS, ("no face", f"only faces below {policy.min_face:g} px"),
                            strict=True):  # fmt: skip
        if count := left_out[status]:
            source, total = manifest.source, len(manifest)
            logger.warning("%s: left out: %s in %d of %d pictures", source, what, count, total)
    return framed


def sampled(framed: Sequence[Framed], spec: PreprocessSpec) -> Pixels:
    """The network's view of every picture, without jitter: (N, H, W, 3) uint8."""
    return np.stack([sample_frame(picture.pixels, picture.frame, spec) for picture in framed])


def landmarks(framed: Sequence[Framed], spec: PreprocessSpec) -> FloatArray:
    """The landmarks of each face in that view: (N, L), see `faces.guide`."""
    return np.stack([landmarks_in(one.points, part_of(one.frame, spec), spec) for one in framed])


def sizes(framed: Sequence[Framed], spec: PreprocessSpec) -> FloatArray:
    """What networks are told of each face's size: (N, 1) octaves, see `faces.guide`."""
    known = [
        np.nan if is_whole(one.frame, one.pixels) else octaves(part_of(one.frame, spec), spec)
        for one in framed
    ]
    return np.array(known, np.float32)[:, None]


def _cut(located: Located, points: bool) -> tuple[Located, Framed | None]:
    """Why a picture is left out, or the frame with a margin; the frame and the points move."""
    if located.pixels is None:
        return located, None
    ((pixels, _, frame, marks),) = located.upright()
    picture = Framed(pixels, frame, points=marks if points else ())
    without_pixels = replace(located, pixels=None)
    if located.faces == (None,):
        return without_pixels, picture
    return without_pixels, _with_margin(picture)


def _with_margin(picture: Framed) -> Framed:
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
