"""Large portraits for training: faces cut out at their own resolution, with degraded copies.

They become picture files, so that a teacher can sample each in its own way, and people can look at
them.
"""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from facegauge.arrays import Pixels
from facegauge.data.degradations import degrade
from facegauge.data.list_files import write_csv
from facegauge.data.manifests import Manifest, load_manifest
from facegauge.errors import UsageError
from facegauge.faces.detection import Detector
from facegauge.faces.extraction import FaceExtractor
from facegauge.faces.located import Located
from facegauge.faces.lookahead import default_threads, map_ahead
from facegauge.faces.policy import ExtractionPolicy
from facegauge.faces.sampling import sample
from facegauge.faces.spec import PreprocessSpec
from facegauge.progress import track
from facegauge.results import Box, Status
from facegauge.training.methods.mspt.config import PortraitsConfig

LIST = "list.csv"
COLUMNS = ("image", "source", "kind", "severity")
CLEAN = "clean"  # the kind of a face that is not degraded

Row = tuple[str, str, str, str]  # a line of the list, in the order of COLUMNS

logger = logging.getLogger(__name__)


def cut_portraits(
    portraits: Manifest,
    folder: Path,
    spec: PreprocessSpec,
    config: PortraitsConfig,
    *,
    detector: Detector | None = None,
) -> Manifest:
    """Cut the largest face out of every portrait into `folder`, once clean and in degraded copies.

    Args:
        portraits: pictures with one face or more.
        folder: gets a PNG file each and, at the end, `list.csv`; one that has it is taken as it is.
        spec: framing and aspect ratio of the cuts: that of the teacher who will label them. A
            portrait that is framed already is taken whole.
        config: which copies a face gets.
        detector: finds the faces; CenterFace by default.

    Returns:
        The cuts, with the groups source, kind ("clean" for the face as it is) and severity.
        Portraits without a face, and unreadable ones, are left out; the log says how many.

    Raises:
        UsageError: no portrait has a face.
    """
    if (folder / LIST).exists():
        return load_manifest(folder / LIST)
    folder.mkdir(parents=True, exist_ok=True)
    extractor = FaceExtractor(spec, ExtractionPolicy.of_one_face("auto"), detector)

    def cut(located: Located) -> Pixels | None:
        return _face(located, spec, config.max_width)

    def save(numbered: tuple[int, Pixels | None]) -> list[Row]:
        row, face = numbered
        if face is None:
            return []
        return _save_copies(face, row, portraits.paths[row].name, folder, config)

    with closing(extractor.map(portraits.paths, cut)) as faces:
        saved = map_ahead(save, enumerate(faces), default_threads())
        cuts = list(track(saved, "cutting out portraits", total=len(portraits)))
    if lost := sum(not one for one in cuts):
        logger.warning("%s: no face in %d of %d portraits", portraits.source, lost, len(portraits))
    if lost == len(portraits):
        raise UsageError(f"{portraits.source}: none of the portraits has a face to cut out")
    columns = zip(*(row for one in cuts for row in one), strict=True)
    write_csv(folder / LIST, dict(zip(COLUMNS, columns, strict=True)))
    return load_manifest(folder / LIST)


def _face(located: Located, spec: PreprocessSpec, width: int) -> Pixels | None:
    """The frame of the largest face in its own pixels, or shrunk to `width`; None without one."""
    if located.pixels is None:
        if located.status not in (Status.NO_FACE, Status.TOO_SMALL):
            logger.warning("left out: %s: %s", located.name, located.message)
        return None
    ((pixels, _, frame, _),) = located.upright()
    left, top = round(frame.left), round(frame.top)
    wide, high = max(1, round(frame.width)), max(1, round(frame.height))
    kept = min(wide, width)
    cut = replace(spec, width=kept, height=max(1, round(high * kept / wide)), antialias=True)
    return sample(pixels, Box(left, top, left + wide, top + high), cut)


def _save_copies(
    face: Pixels, row: int, source: str, folder: Path, config: PortraitsConfig
) -> list[Row]:
    """Write a face and its degraded copies; they depend on the seed and the row alone."""
    rng = np.random.default_rng([config.seed, row])
    drawn = rng.choice(list(config.kinds), config.copies, replace=False)
    made = []
    for kind in (CLEAN, *map(str, drawn)):
        severity = 0.0 if kind == CLEAN else float(rng.uniform(*config.severity_range))
        copy = face if kind == CLEAN else degrade(face, kind, severity, rng)
        name = f"{row:06d}_{kind}.png"
        Image.fromarray(copy).save(folder / name, compress_level=1)
        made.append((name, source, kind, f"{severity:.2f}"))
    return made
