"""From a picture to what a network sees of its faces: opened, searched, framed, sampled."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy.typing as npt

from facegauge.arrays import Pixels
from facegauge.errors import PictureError, ScorerError
from facegauge.faces.detection import Detector
from facegauge.faces.framing import frame_around, is_framed, main_frame
from facegauge.faces.sampling import Crop, face_crops
from facegauge.faces.spec import PreprocessSpec
from facegauge.images.loading import open_picture
from facegauge.results import Box, Face, Point, Status

if TYPE_CHECKING:
    from PIL.Image import Image

Source: TypeAlias = "str | os.PathLike[str] | Image | npt.NDArray[Any]"

MODES = ("auto", "all", "largest", "whole")
MIN_FACE = 24  # pixels; a smaller face has fewer pixels than the network's finest features


@dataclass(frozen=True, slots=True)
class Picture:
    """What is left of a picture once its pixels are gone: faces, and what the network reads.

    `crops` has one tuple for each face, see `faces.sampling.face_crops`.
    """

    path: str
    status: Status = Status.OK
    message: str = ""
    width: int = 0
    height: int = 0
    faces: tuple[Face | None, ...] = ()
    frames: tuple[Box, ...] = ()
    crops: tuple[tuple[Crop, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Cutter:
    """Cuts the faces out of one picture after the other; may be shared by threads.

    Attributes:
        spec: how a face becomes the network's input.
        detector: finds the faces.
        faces: which of them are cut out, one of `MODES`, see `Scorer`.
        min_face: faces whose box's shorter side has fewer pixels are left out.
        max_pixels: pictures with more pixels are not opened.
        guided: whether the network is told of landmarks, so that `whole` must look for them.
    """

    spec: PreprocessSpec
    detector: Detector
    faces: str
    min_face: float
    max_pixels: int
    guided: bool

    def __call__(self, source: Source, place: int) -> Picture:
        """Open a picture, find its faces and keep only what the network reads of it."""
        path = os.fsdecode(source) if isinstance(source, str | os.PathLike) else f"<image {place}>"
        picture = Picture(path)
        try:
            pixels = open_picture(source, max_pixels=self.max_pixels)
            picture = replace(picture, height=pixels.shape[0], width=pixels.shape[1])
            return self._cut(picture, pixels)
        except PictureError as error:
            return replace(picture, status=Status(error.status), message=str(error))
        except ScorerError:
            raise
        except Exception as error:
            message = " ".join(f"{type(error).__name__}: {error}".split())
            return replace(picture, status=Status.ERROR, message=message)

    def _cut(self, picture: Picture, pixels: Pixels) -> Picture:
        """Find the faces of an open picture and sample them."""
        whole = Box(0, 0, picture.width, picture.height)
        if self.faces == "whole":
            only = face_crops(pixels, whole, self._points(pixels), self.spec)
            return replace(picture, faces=(None,), frames=(whole,), crops=(only,))
        found = sorted(self.detector(pixels), key=_area, reverse=True)
        if not found:
            return replace(picture, status=Status.NO_FACE, message="no face found")
        faces = [face for face in found if _shorter_side(face) >= self.min_face]
        if not faces:
            least = max(map(_shorter_side, found))
            message = f"the largest face is {least:.0f} px, the least that counts {self.min_face:g}"
            return replace(picture, status=Status.TOO_SMALL, message=message)
        frames = [frame_around(face, self.spec) for face in faces]
        if self.faces != "all" and is_framed(frames[0], picture.width, picture.height, self.spec):
            faces, frames = faces[:1], [whole]
        elif self.faces == "largest":
            faces, frames = faces[:1], frames[:1]
        crops = tuple(
            face_crops(pixels, frame, face.points, self.spec)
            for face, frame in zip(faces, frames, strict=True)
        )
        return replace(picture, faces=tuple(faces), frames=tuple(frames), crops=crops)

    def _points(self, pixels: Pixels) -> tuple[Point, ...]:
        """The five points of a whole picture's face, for a network that they guide."""
        if not self.guided:
            return ()
        found = self.detector(pixels)
        return max(found, key=_area).points if found else ()


def largest_frame(found: Sequence[Face], width: int, height: int, spec: PreprocessSpec) -> Box:
    """The frame of a picture's largest face, where nothing else is asked of the picture.

    Args:
        found: its faces, the largest first.

    Raises:
        PictureError: there is none, or it is smaller than `MIN_FACE`.
    """
    if not found:
        raise PictureError("no face found", Status.NO_FACE)
    side = _shorter_side(found[0])
    if side < MIN_FACE:
        message = f"the largest face is {side:.0f} px, the least that counts {MIN_FACE:g}"
        raise PictureError(message, Status.TOO_SMALL)
    return main_frame(found[0], width, height, spec)


def _area(face: Face) -> float:
    return face.box.width * face.box.height


def _shorter_side(face: Face) -> float:
    return min(face.box.width, face.box.height)
