"""How a list frames its faces: measured, kept as a small TOML file, and read by training.

A scorer's spec says where a face lies in its frame, so that the faces of new photos are cut out as
the training pictures were. Data sets differ: what is measured on one is wrong for another.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np

from facegauge.data.manifests import Manifest
from facegauge.errors import UsageError
from facegauge.faces.detection import Detector
from facegauge.faces.extraction import FaceExtractor
from facegauge.faces.framing import frame_around
from facegauge.faces.located import Located
from facegauge.faces.policy import ExtractionPolicy
from facegauge.faces.spec import RANGES, PreprocessSpec
from facegauge.outputs import replacing
from facegauge.progress import track
from facegauge.results import Box, Face

FEWEST = 10  # faces
COVERED = 95  # per cent of the pictures that the tolerance counts as framed
LEAST_TOLERANCE = 0.05
LOOSE = 0.4  # a tolerance from which faces are anywhere, as in photos


@dataclass(frozen=True, slots=True)
class Framing:
    """Where the face box is in a picture; the fields are those of `PreprocessSpec`."""

    aspect: float
    face_width: float
    face_height: float
    center_x: float
    center_y: float
    framed_tolerance: float


@dataclass(frozen=True, slots=True)
class MeasuredFraming:
    """The framing of a list, and how much its pictures differ.

    Attributes:
        framing: medians, and the tolerance that 95 % of the pictures keep to.
        quartiles: of each median, over the pictures.
        pictures: that were read.
        faces: pictures among them with an upright face.
    """

    framing: Framing
    quartiles: dict[str, tuple[float, float]]
    pictures: int
    faces: int

    @property
    def is_loose(self) -> bool:
        """Whether faces are at so many places and sizes that the pictures are photos, not crops."""
        return self.framing.framed_tolerance >= LOOSE


def measure_framing(
    manifest: Manifest, *, count: int = 500, detector: Detector | None = None
) -> MeasuredFraming:
    """Measure where the largest face lies in the pictures of a list.

    Args:
        manifest: framed pictures; labels are not read.
        count: pictures to read at most, evenly spaced over the list.
        detector: finds the faces; CenterFace by default.

    Raises:
        UsageError: fewer than `FEWEST` of the pictures have an upright face.
    """
    rows = np.unique(np.linspace(0, len(manifest) - 1, min(count, len(manifest))).round())
    paths = manifest.take(rows.astype(int)).paths
    extractor = FaceExtractor(PreprocessSpec(), ExtractionPolicy("largest"), detector)
    with closing(extractor.map(paths, _without_pixels)) as located:
        found = [
            one
            for one in track(located, "searching faces", total=len(paths))
            if one.faces and one.turns == (0,)
        ]
    if len(found) < FEWEST:
        raise UsageError(
            f"{manifest.source}: {len(found)} of {len(paths)} pictures have an upright face; "
            f"expected {FEWEST} or more to measure how faces are framed"
        )
    places = np.array([_place(one) for one in found])
    names = [each.name for each in fields(Framing)][:-1]
    medians = dict(zip(names, np.median(places, 0).round(4).tolist(), strict=True))
    low, high = np.quantile(places, [0.25, 0.75], axis=0)
    framing = Framing(**medians, framed_tolerance=1.0)
    needed = np.percentile([_tolerance(one, framing) for one in found], COVERED)
    tolerance = float(np.clip(np.ceil(needed * 100) / 100, LEAST_TOLERANCE, 1))
    return MeasuredFraming(
        replace(framing, framed_tolerance=tolerance),
        dict(zip(names, zip(low.tolist(), high.tolist(), strict=True), strict=True)),
        len(paths),
        len(found),
    )


def write_framing(measured: MeasuredFraming, source: str, file: str | os.PathLike[str]) -> None:
    """Write a framing as TOML.

    Args:
        source: the name of the list, for a comment.
        file: to create; replaced if it is there.

    Raises:
        UsageError: it cannot be written.
    """
    lines = [
        f"# How {measured.faces} pictures of {source} frame their faces: medians, measured by",
        "# facegauge data framing. For training: facegauge train METHOD --framing this file",
        *(f"{name} = {value!r}" for name, value in asdict(measured.framing).items()),
    ]
    try:
        with replacing(Path(file)) as fresh:
            fresh.write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror or error}") from error


def read_framing(file: str | os.PathLike[str]) -> Framing:
    """Read what `write_framing` wrote.

    Raises:
        UsageError: it cannot be read, or is another file; the message says what was expected.
    """
    try:
        found = tomllib.loads(Path(file).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"cannot read the framing in {file}: {error}") from error
    names = [each.name for each in fields(Framing)]
    if sorted(found) != sorted(names):
        raise UsageError(
            f"{file} is no framing; expected {', '.join(names)}, as facegauge data framing writes "
            f"them, got {', '.join(found) or 'nothing'}"
        )
    for name, value in found.items():
        kind, low, high = RANGES[name]
        if not isinstance(value, kind) or isinstance(value, bool) or not low <= value <= high:
            raise UsageError(
                f"{file}: expected {name} to be a number from {low} to {high}, got {value!r:.40}"
            )
    return Framing(**{name: float(value) for name, value in found.items()})


def _without_pixels(located: Located) -> Located:
    return replace(located, pixels=None)


def _place(one: Located) -> Sequence[float]:
    """Aspect of the picture; width, height and centre of the face box as shares of its size."""
    box = _box(one)
    return (
        one.width / one.height,
        box.width / one.width,
        box.height / one.height,
        (box.left + box.right) / 2 / one.width,
        (box.top + box.bottom) / 2 / one.height,
    )


def _tolerance(one: Located, framing: Framing) -> float:
    """How far a picture's edges lie from the frame around its face, as a share of the frame."""
    frame = frame_around(Face(_box(one), 1.0), PreprocessSpec(**asdict(framing)))
    across = max(abs(frame.left), abs(frame.right - one.width)) / frame.width
    down = max(abs(frame.top), abs(frame.bottom - one.height)) / frame.height
    return max(across, down)


def _box(one: Located) -> Box:
    face = one.faces[0]
    assert face is not None  # it was searched
    return face.box
