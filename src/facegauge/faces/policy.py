"""Which faces of a picture are taken, and which pictures are opened."""

from __future__ import annotations

from dataclasses import dataclass

from facegauge.errors import UsageError
from facegauge.faces.detection import MIN_FACE, SIZE_MULTIPLE
from facegauge.images.costs import MAX_PIXELS

FACES = ("auto", "all", "largest", "whole")


@dataclass(frozen=True, slots=True)
class ExtractionPolicy:
    """Which faces of a picture are taken, and which pictures are opened.

    Attributes:
        faces: `auto`: every face found, but a picture whose largest face already sits as the spec
            frames it is taken whole, as that one face. `all`: every face found, always cut out.
            `largest`: only the largest, otherwise as auto. `whole`: the whole picture is one face's
            frame; nothing is searched.
        min_face: faces whose box's shorter side has fewer pixels are left out.
        max_pixels: pictures with more pixels are not opened.
        landmarks: with `whole`, search for the largest face's five points all the same.
        detect_size: long side of the largest input of the face search, in pixels: less finds only
            larger faces, faster; None: as `min_face` asks for. For the built-in detector.

    Raises:
        UsageError: a value that is not one of these.
    """

    faces: str = "auto"
    min_face: float = MIN_FACE
    max_pixels: int = MAX_PIXELS
    landmarks: bool = False
    detect_size: int | None = None

    def __post_init__(self) -> None:
        if self.faces not in FACES:
            raise UsageError(f"expected faces to be one of {', '.join(FACES)}, got {self.faces!r}")
        if not self.min_face >= 0:
            raise UsageError(f"expected min_face to be 0 or more, got {self.min_face}")
        if self.max_pixels < 1:
            raise UsageError(f"expected max_pixels to be 1 or more, got {self.max_pixels}")
        if self.detect_size is not None and self.detect_size < SIZE_MULTIPLE:
            raise UsageError(
                f"expected detect_size to be {SIZE_MULTIPLE} or more, got {self.detect_size}"
            )

    @classmethod
    def of_one_face(
        cls, faces: str, *, landmarks: bool = False, detect_size: int | None = None
    ) -> ExtractionPolicy:
        """The policy where a picture has one face, as for manifests: one label a picture.

        Args:
            faces: "whole": every picture is a framed face; "auto": the largest face is searched,
                and cut out unless the picture is framed already.
            landmarks: whether the five points are needed.
            detect_size: as in the class.

        Raises:
            UsageError: another value of `faces`, or a `detect_size` out of range.
        """
        if faces not in ("whole", "auto"):
            raise UsageError(f"faces must be whole or auto here, got {faces!r}")
        taken = "whole" if faces == "whole" else "largest"
        return cls(taken, landmarks=landmarks, detect_size=detect_size)
