"""A picture and its faces, with its pixels or with what scoring needs of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from facegauge.arrays import Pixels
from facegauge.faces.framing import part_of
from facegauge.faces.sampling import Crop, face_crops
from facegauge.faces.spec import PreprocessSpec
from facegauge.faces.turning import set_upright, turned_box, turned_face, turned_marks
from facegauge.results import Box, Face, Point, Status
from facegauge.schema import Value


class Upright(NamedTuple):
    """A face in the picture that is turned so that the face is upright.

    Attributes:
        pixels: (H, W, 3) uint8 RGB; a view of the picture's.
        face: in these pixels; None for a picture that is taken whole unsearched.
        frame: the head-and-shoulders rectangle in these pixels; may reach beyond the border.
        points: the five points, or the dense landmarks that a spec asks for, or none.
    """

    pixels: Pixels
    face: Face | None
    frame: Box
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Located:
    """An open picture and its faces; or why it has none.

    Attributes:
        name: the path as text, the name that was given, or "<image 0>".
        status, message: `ok`, or why there are no faces, in one line.
        width, height: of the upright picture in pixels; 0 if it could not be opened.
        pixels: (H, W, 3) uint8 RGB, upright; None unless the status is ok.
        faces: the faces, largest first; None for a picture that is taken whole unsearched.
        frames: the head-and-shoulders rectangle of each face, in the picture's pixels; may reach
            beyond the border.
        points: the five points of each face, or none, in the picture's pixels.
        turns: by how many quarters each face is turned clockwise in the picture, 0 to 3.
    """

    name: str
    status: Status = Status.OK
    message: str = ""
    width: int = 0
    height: int = 0
    pixels: Pixels | None = None
    faces: tuple[Face | None, ...] = ()
    frames: tuple[Box, ...] = ()
    points: tuple[tuple[Point, ...], ...] = ()
    turns: tuple[int, ...] = ()

    def failed(self, status: Status, message: str) -> Located:
        """The same picture without faces and pixels, and with the reason."""
        return Located(self.name, status, message, self.width, self.height)

    def crops(self, spec: PreprocessSpec) -> tuple[tuple[Crop, ...], ...]:
        """The sampled crops of each face, see `sampling.face_crops`; none without pixels."""
        return tuple(face_crops(one.pixels, one.frame, one.points, spec) for one in self.upright())

    def upright(self) -> tuple[Upright, ...]:
        """Each face set upright; none without pixels."""
        if self.pixels is None:
            return ()
        size = self.width, self.height
        each = zip(self.faces, self.frames, self.points, self.turns, strict=True)
        return tuple(
            Upright(
                set_upright(self.pixels, turn),
                face and turned_face(face, turn, size),
                turned_box(frame, turn, size),
                turned_marks(points, turn, size),
            )
            for face, frame, points, turn in each
        )


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """What scoring needs of a picture; its pixels are gone, so it is small. Can be pickled.

    Attributes:
        name, status, message, width, height, faces, frames, turns: as in `Located`.
        crops: the crops of each face, see `sampling.face_crops`.
        factors: what was measured on each face, by column name.
        spec: what the crops were framed and sampled by; None without crops.
        landmarks: whether the faces' five points were searched.
        notes: of each face, see `faces.notes`.
    """

    name: str
    status: Status
    message: str
    width: int
    height: int
    faces: tuple[Face | None, ...] = ()
    frames: tuple[Box, ...] = ()
    crops: tuple[tuple[Crop, ...], ...] = ()
    factors: tuple[Mapping[str, Value], ...] = ()
    spec: PreprocessSpec | None = None
    landmarks: bool = False
    turns: tuple[int, ...] = ()
    notes: tuple[tuple[str, ...], ...] = ()

    @property
    def count(self) -> int:
        """The number of crops, of all faces together."""
        return sum(map(len, self.crops))

    def shown(self, face: int) -> Box:
        """What the first crop of a face shows, in the picture's pixels; see `framing.part_of`."""
        frame, turn, size = self.frames[face], self.turns[face], (self.width, self.height)
        if self.spec is None or self.spec.crop_mode == "squash":
            return frame
        around = size[::-1] if turn % 2 else size
        return turned_box(part_of(turned_box(frame, turn, size), self.spec), -turn, around)
