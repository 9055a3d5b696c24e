"""How far a score falls when every picture gets the same degradations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from facegauge.arrays import Scores
from facegauge.data.degradations import degrade
from facegauge.data.manifests import Manifest
from facegauge.faces.detection import Detector
from facegauge.faces.extraction import FaceExtractor
from facegauge.faces.located import Located
from facegauge.faces.policy import ExtractionPolicy
from facegauge.faces.sampling import Crop, face_crops
from facegauge.predictors import Predictor, predict_faces

KINDS = ("gaussian_blur", "downscale", "jpeg", "noise", "dark")
SEVERITIES = (1, 2, 3)


@dataclass(frozen=True, slots=True, eq=False)
class Drops:
    """Score of a picture - score of its degraded copy, for N pictures.

    Attributes:
        values: by kind of degradation: (N, 3), one column a severity; nan where a picture has no
            score.
    """

    values: dict[str, Scores]

    def mean(self, kind: str) -> Scores:
        """The mean drop over the severities, (N,)."""
        return np.asarray(self.values[kind].mean(1), np.float64)


def score_drops(
    predictor: Predictor,
    manifest: Manifest,
    faces: str = "auto",
    *,
    batch_size: int = 32,
    seed: int = 0,
    detector: Detector | None = None,
    track: Callable[[Iterator[Scores]], Iterator[Scores]] = lambda rows: rows,
) -> Drops:
    """Score every picture and its degraded copies in the same frame.

    The face is searched once, in the undamaged picture, so that a drop is not that of a shifted
    frame. The random numbers of the degradations are the same for every picture.

    Args:
        predictor: the network.
        manifest: the pictures.
        faces: "auto" or "whole", see `evaluate.predict_with`.
        batch_size: crops that the network sees at a time.
        seed: of the degradations.
        detector: finds the faces; CenterFace by default.
        track: passes on one item a picture, such as a progress bar.
    """
    policy = ExtractionPolicy.of_one_face(faces, landmarks=predictor.uses_landmarks)
    extractor = FaceExtractor(predictor.spec, policy, detector)

    def cut(located: Located) -> list[tuple[Crop, ...]]:
        return _versions(located, extractor, seed)

    def scored() -> Iterator[Scores]:
        empty = np.full(1 + len(KINDS) * len(SEVERITIES), np.nan)
        for versions in extractor.map(manifest.paths, cut):
            raw = predict_faces(predictor, versions, batch_size) if versions else empty
            yield np.where(np.isfinite(raw), np.clip(raw, 0, 1), np.nan)

    rows = np.array(list(track(scored())))
    drops = (rows[:, :1] - rows[:, 1:]).reshape(len(rows), len(KINDS), len(SEVERITIES))
    return Drops({kind: drops[:, place] for place, kind in enumerate(KINDS)})


def _versions(located: Located, extractor: FaceExtractor, seed: int) -> list[tuple[Crop, ...]]:
    """The crops of the picture and of its copies, by kind and severity; none without a face."""
    faces = located.upright()
    if not faces:
        return []
    face, spec = faces[0], extractor.spec
    copies = [face.pixels] + [
        degrade(face.pixels, kind, severity, np.random.default_rng(seed))
        for kind in KINDS
        for severity in SEVERITIES
    ]
    return [face_crops(copy, face.frame, face.points, spec) for copy in copies]
