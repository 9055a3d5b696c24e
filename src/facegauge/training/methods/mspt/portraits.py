"""Large portraits for training: faces cut out at their own resolution, with degraded copies.

They become picture files, so that a judge can look at each in its own way, and a person too.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from facegauge.arrays import Pixels
from facegauge.data.degradations import DEGRADATIONS, degrade
from facegauge.data.manifests import Manifest, load_manifest
from facegauge.errors import PictureError, UsageError
from facegauge.faces.detection import CenterFace, Detector
from facegauge.faces.extraction import MIN_FACE
from facegauge.faces.framing import main_frame
from facegauge.faces.sampling import sample
from facegauge.faces.spec import PreprocessSpec
from facegauge.images.loading import open_picture
from facegauge.results import Box

LIST = "list.csv"
COLUMNS = ("image", "source", "kind", "severity")
CLEAN = "clean"  # the kind of a face that is not degraded


@dataclass(frozen=True, slots=True)
class CopySettings:
    """Which copies a face gets.

    Attributes:
        copies: degraded ones, each of another kind.
        kinds: degradations that are drawn from.
        severity: least and largest, 0..5.
        width: in pixels; a face's frame that is wider is shrunk to it first, with a good filter.
        seed: of kinds, severities and noise.
    """

    copies: int
    kinds: Sequence[str]
    severity: tuple[float, float]
    width: int
    seed: int


def cut_portraits(
    portraits: Manifest,
    folder: Path,
    spec: PreprocessSpec,
    settings: CopySettings,
    *,
    detector: Detector | None = None,
    say: Callable[[str], None] = print,
) -> Manifest:
    """Cut the largest face out of every portrait into `folder`, once clean and in degraded copies.

    Args:
        folder: gets a PNG file each and, at the end, `list.csv`; one that has it is taken as it is.
        spec: framing and aspect ratio of the cuts: that of the judge who will label them. A
            portrait that is framed already is taken whole.
        detector: finds the faces; CenterFace by default.

    Returns:
        The cuts, with the groups source, kind ("clean" for the face as it is) and severity.
        Portraits without a face, and unreadable ones, are left out and counted aloud.

    Raises:
        UsageError: no portrait has a face, or a degradation is not known.
    """
    unknown = sorted(set(settings.kinds) - set(DEGRADATIONS))
    if unknown or settings.copies > len(settings.kinds):
        raise UsageError(
            f"{settings.copies} copies need as many kinds of {', '.join(DEGRADATIONS)}; "
            f"got {', '.join(settings.kinds)}"
        )
    if (folder / LIST).exists():
        return load_manifest(folder / LIST)
    folder.mkdir(parents=True, exist_ok=True)
    finder = detector or CenterFace()

    def cut(row: int) -> list[tuple[str, str, str, str]]:
        path = portraits.paths[row]
        face = _face(path, spec, settings.width, finder)
        if face is None:
            return []
        rng = np.random.default_rng([settings.seed, row])
        drawn = rng.choice(list(settings.kinds), settings.copies, replace=False)
        made = []
        for kind in (CLEAN, *map(str, drawn)):
            severity = 0.0 if kind == CLEAN else float(rng.uniform(*settings.severity))
            copy = face if kind == CLEAN else degrade(face, kind, severity, rng)
            name = f"{row:06d}_{kind}.png"
            Image.fromarray(copy).save(folder / name, compress_level=1)
            made.append((name, path.name, kind, f"{severity:.2f}"))
        return made

    with ThreadPoolExecutor(2) as pool:
        cuts = list(pool.map(cut, range(len(portraits))))
    lost = sum(not one for one in cuts)
    if lost:
        say(f"{portraits.source}: no face in {lost} of {len(portraits)} portraits")
    if lost == len(portraits):
        raise UsageError(f"{portraits.source}: none of the portraits has a face to cut out")
    fresh = folder / (LIST + ".new")
    with fresh.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        csv.writer(file).writerows([COLUMNS, *(row for one in cuts for row in one)])
    fresh.replace(folder / LIST)
    return load_manifest(folder / LIST)


def _face(path: Path, spec: PreprocessSpec, width: int, detector: Detector) -> Pixels | None:
    """The frame of the largest face in its own pixels, or shrunk to `width`; None without one."""
    try:
        pixels = open_picture(path)
        faces = detector(pixels)
    except PictureError:
        return None
    if not faces or min(faces[0].box.width, faces[0].box.height) < MIN_FACE:
        return None
    frame = main_frame(faces[0], pixels.shape[1], pixels.shape[0], spec)
    left, top = round(frame.left), round(frame.top)
    wide, high = max(1, round(frame.width)), max(1, round(frame.height))
    kept = min(wide, width)
    cut = replace(spec, width=kept, height=max(1, round(high * kept / wide)), antialias=True)
    return sample(pixels, Box(left, top, left + wide, top + high), cut)
