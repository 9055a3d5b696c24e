"""What a score is: frozen dataclasses, the only currency between the rooms."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Point = tuple[float, float]


class Status(StrEnum):
    """What became of one input picture."""

    OK = "ok"
    NO_FACE = "no_face"
    TOO_SMALL = "too_small"
    UNREADABLE = "unreadable"
    TOO_LARGE = "too_large"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in the upright picture, in pixels; (0, 0) is its top left corner."""

    left: float
    top: float
    right: float
    bottom: float

    def __post_init__(self) -> None:
        for edge in ("left", "top", "right", "bottom"):  # a detector of one's own may give numpy's
            object.__setattr__(self, edge, float(getattr(self, edge)))
        if not (self.right > self.left and self.bottom > self.top):
            raise ValueError(f"a box needs right > left and bottom > top, got {self}")

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top


@dataclass(frozen=True, slots=True)
class Face:
    """A detected face: its box, the detector's confidence (0..1) and five points.

    The points are, as seen in the picture: left eye, right eye, nose, left and right mouth corner.
    """

    box: Box
    confidence: float
    points: tuple[Point, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "confidence", float(self.confidence))
        if not 0.0 <= self.confidence <= 1.0:
            raise ValueError(f"confidence must lie in 0..1, got {self.confidence}")
        if len(self.points) not in (0, 5):
            raise ValueError(f"a face has five points or none, got {len(self.points)}")


@dataclass(frozen=True, slots=True)
class FaceScore:
    """The quality of one face.

    Attributes:
        score: perceptual quality, 0 (worst) to 1 (best), on the scorer's scale.
        low, high: interval that holds the challenge label nine times in ten (conformal).
        percentile: share of the scorer's named reference labels at or below `score`, 0..100.
        band: the word for the score: bad, poor, fair, good or excellent.
        face: where the face is; None when the whole picture was scored.
    """

    score: float
    low: float
    high: float
    percentile: float
    band: str
    face: Face | None = None

    def __post_init__(self) -> None:
        if not self.low <= self.score <= self.high:
            raise ValueError(f"expected low <= score <= high, got {self}")


@dataclass(frozen=True, slots=True)
class ImageScore:
    """Everything that is known of one input: a status, always, and its faces.

    Attributes:
        path: the input as it was given; "<image 0>" and so on for pictures held in memory.
        status: `Status.OK` exactly when at least one face has a score.
        faces: scored faces, in the detector's order (largest first).
        message: one line for people, empty when there is nothing to say.
        width, height: of the upright picture, in pixels; 0 when it could not be opened.
    """

    path: str
    status: Status
    faces: tuple[FaceScore, ...] = ()
    message: str = ""
    width: int = 0
    height: int = 0

    def __post_init__(self) -> None:
        if (self.status is Status.OK) != bool(self.faces):
            raise ValueError(f"status {self.status.value} does not go with {len(self.faces)} faces")

    @property
    def best(self) -> FaceScore | None:
        """The face with the highest score, or None."""
        return max(self.faces, key=lambda face: face.score, default=None)

    @property
    def score(self) -> float | None:
        """The best face's score, or None."""
        return self.best.score if self.best else None

    def to_dict(self) -> dict[str, Any]:
        """The result as plain JSON types, one entry a face."""
        return {
            "path": self.path,
            "status": self.status.value,
            "message": self.message,
            "width": self.width,
            "height": self.height,
            "faces": [
                {key: row[key] for key in COLUMNS if key not in ("path", "status", "message")}
                for row in self.rows()
                if row["face"] is not None
            ],
        }

    def rows(self) -> list[dict[str, Any]]:
        """One flat row a face, with the columns `COLUMNS`; one row when there is no face."""
        if not self.faces:
            empty: dict[str, Any] = dict.fromkeys(COLUMNS)
            empty.update(path=self.path, status=self.status.value, message=self.message)
            return [empty]
        return [self._row(number, face) for number, face in enumerate(self.faces)]

    def _row(self, number: int, scored: FaceScore) -> dict[str, Any]:
        box = scored.face.box if scored.face else None
        return {
            "path": self.path,
            "face": number,
            "status": self.status.value,
            "score": scored.score,
            "low": scored.low,
            "high": scored.high,
            "percentile": scored.percentile,
            "band": scored.band,
            "left": box.left if box else None,
            "top": box.top if box else None,
            "right": box.right if box else None,
            "bottom": box.bottom if box else None,
            "confidence": scored.face.confidence if scored.face else None,
            "message": self.message,
        }


COLUMNS = (
    "path",
    "face",
    "status",
    "score",
    "low",
    "high",
    "percentile",
    "band",
    "left",
    "top",
    "right",
    "bottom",
    "confidence",
    "message",
)
