"""Whether pictures that were taken whole are photos, not framed faces."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from facegauge.faces.detection import Detector
from facegauge.faces.extraction import FaceExtractor
from facegauge.faces.policy import ExtractionPolicy
from facegauge.faces.spec import PreprocessSpec
from facegauge.results import Box

logger = logging.getLogger(__name__)

LOOKED_AT = 12  # pictures, evenly spaced: the search takes longer than scoring
SHARE = 0.5  # of those with a face, from which on it is said


def warn_of_photos(
    paths: Sequence[Path], spec: PreprocessSpec, detector: Detector | None = None
) -> None:
    """Log a warning if pictures that were taken whole frame their faces otherwise than `spec`.

    Args:
        paths: of the pictures; some are looked at.
        spec: of the network.
        detector: finds the faces; CenterFace by default.
    """
    some = paths[:: -(-len(paths) // LOOKED_AT)] if paths else ()
    extractor = FaceExtractor(spec, ExtractionPolicy.of_one_face("auto"), detector)
    frames = []
    for located in extractor.map(some, lambda one: one):
        if located.faces and located.faces[0] is not None:
            frames.append(located.frames[0] == Box(0, 0, located.width, located.height))
    photos = frames.count(False)
    if photos and photos >= SHARE * len(frames):
        logger.warning(
            "pictures were taken whole, as framed faces, but %d of %d that were looked at are not "
            "framed: for photos use --faces auto (calibrate: --photos)",
            *(photos, len(frames)),
        )
