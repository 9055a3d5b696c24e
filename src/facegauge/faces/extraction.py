"""The one road from a picture to its face crops: open, search, frame; callers keep what they need.

Scoring, evaluation, labelling, training inputs and portraits all go through `FaceExtractor`, each
with its own `ExtractionPolicy`, so that they see the same faces, frames and statuses.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from facegauge.arrays import Pixels
from facegauge.errors import MissingExtra, PictureError, ScorerError, UsageError
from facegauge.faces.detection import (
    MIN_FACE,
    SIZE_MULTIPLE,
    CenterFace,
    Detector,
    SaysSmallestFace,
)
from facegauge.faces.framing import frame_around, is_framed
from facegauge.faces.lookahead import default_threads, map_ahead
from facegauge.faces.sampling import Crop, face_crops
from facegauge.faces.search import FACE_INPUT
from facegauge.faces.spec import PreprocessSpec
from facegauge.images.loading import MAX_PIXELS, read_picture
from facegauge.images.memory import shared_budget
from facegauge.images.sources import named
from facegauge.results import Box, Face, Point, Status
from facegauge.schema import Value

if TYPE_CHECKING:
    from facegauge.images.sources import Source

T = TypeVar("T")

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

    def failed(self, status: Status, message: str) -> Located:
        """The same picture without faces and pixels, and with the reason."""
        return Located(self.name, status, message, self.width, self.height)

    def crops(self, spec: PreprocessSpec) -> tuple[tuple[Crop, ...], ...]:
        """The sampled crops of each face, see `sampling.face_crops`; none without pixels."""
        if self.pixels is None:
            return ()
        pairs = zip(self.frames, self.points, strict=True)
        return tuple(face_crops(self.pixels, frame, points, spec) for frame, points in pairs)


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """What scoring needs of a picture; its pixels are gone, so it is small. Can be pickled.

    Attributes:
        name, status, message, width, height, faces, frames: as in `Located`.
        crops: the crops of each face, see `sampling.face_crops`.
        factors: what was measured on each face, by column name.
        spec: what the crops were framed and sampled by; None without crops.
        landmarks: whether the faces' five points were searched.
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

    @property
    def count(self) -> int:
        """The number of crops, of all faces together."""
        return sum(map(len, self.crops))


class FaceExtractor:
    """Opens pictures, searches and frames their faces; can be pickled and shared by threads.

    Args:
        spec: framing, and for `prepare` sampling.
        policy: which faces are taken.
        detector: finds the faces in (H, W, 3) uint8 RGB pixels; CenterFace by default.

    Raises:
        UsageError: the policy has a `detect_size` for a detector of one's own.
    """

    def __init__(
        self, spec: PreprocessSpec, policy: ExtractionPolicy, detector: Detector | None = None
    ) -> None:
        if detector is not None and policy.detect_size is not None:
            raise UsageError(
                "detect_size goes with the built-in detector, not with one of your own"
            )
        self.spec, self.policy = spec, policy
        self.detector: Detector = detector or CenterFace(
            min_face=policy.min_face, max_size=policy.detect_size
        )

    def locate(self, source: Source, name: str | None = None) -> Located:
        """Open a picture and frame its faces.

        Args:
            source: a picture, see `images.sources`, or a pair (name, picture).
            name: of the picture, instead of its own.

        Returns:
            The picture with its faces. A picture without any, or one that cannot be opened or
            searched, has another status than ok; this is no exception.

        Raises:
            ScorerError, MissingExtra: the detector itself is damaged, or not installed.
        """
        return self._locate(source, name, lambda pixels: None)

    def _locate(self, source: Source, name: str | None, admit: Callable[[int], None]) -> Located:
        own, picture = named(source)
        located = Located(own if name is None else name)
        try:
            opened = read_picture(picture, self.policy.max_pixels, admit)
            pixels = opened.pixels
            size = {"height": pixels.shape[0], "width": pixels.shape[1]}
            located = replace(located, message=opened.note, **size)
            return self._framed(replace(located, pixels=pixels), pixels)
        except PictureError as error:
            return located.failed(Status(error.status), str(error))
        except (ScorerError, MissingExtra):
            raise
        except Exception as error:
            return located.failed(Status.ERROR, in_one_line(error))

    def prepare(self, located: Located) -> Prepared:
        """The crops of a located picture, without its pixels."""
        return Prepared(
            located.name,
            located.status,
            located.message,
            located.width,
            located.height,
            located.faces,
            located.frames,
            located.crops(self.spec),
            spec=self.spec if located.frames else None,
            landmarks=self.policy.landmarks or self.policy.faces != "whole",
        )

    def extract(self, source: Source, cut: Callable[[Located], T], name: str | None = None) -> T:
        """Locate one picture, and keep of it what `cut` returns.

        It waits while other threads hold so many pixels that its own would exceed the memory
        budget of the process, see `images.memory`.

        Args:
            source, name: as for `locate`.
            cut: given the located picture. If it raises, it is called once more, with the picture's
                status `error`; so it has to accept a picture without pixels.

        Raises:
            ScorerError, MissingExtra: something is damaged, or not installed.
        """
        with shared_budget().lease() as lease:
            located = self._locate(source, name, lease.admit)
            if located.status is Status.OK:
                try:
                    return cut(located)
                except (ScorerError, MissingExtra):
                    raise
                except PictureError as error:
                    located = located.failed(Status(error.status), str(error))
                except Exception as error:
                    located = located.failed(Status.ERROR, in_one_line(error))
        return cut(located)

    def map(
        self, sources: Iterable[Source], cut: Callable[[Located], T], threads: int | None = None
    ) -> Generator[T, None, None]:
        """Extract pictures a few ahead, in their order; few are held at a time.

        Args:
            sources: pictures or pairs (name, picture); read lazily. Pictures in memory are named
                by their place, "<image 0>" and so on.
            cut: see `extract`; called in a worker thread.
            threads: worker threads; by default one for each CPU, at most 4.
        """

        def extract(placed: tuple[int, Source]) -> T:
            return self.extract(placed[1], cut, named(placed[1], placed[0])[0])

        return map_ahead(extract, enumerate(sources), threads or default_threads())

    def _framed(self, located: Located, pixels: Pixels) -> Located:
        """Search an open picture, and frame the faces that the policy takes."""
        policy, whole = self.policy, Box(0, 0, located.width, located.height)
        if policy.faces == "whole":
            found = self._search(pixels) if policy.landmarks else []
            points = found[0].points if found else ()
            return replace(located, faces=(None,), frames=(whole,), points=(points,))
        found = self._search(pixels)
        if not found:
            return located.failed(Status.NO_FACE, self._searched(located.width, located.height))
        faces = [face for face in found if _shorter_side(face) >= policy.min_face]
        if not faces:
            largest = int(max(map(_shorter_side, found)))
            message = f"the largest face is {largest} px, the minimum is {policy.min_face:g} px"
            return located.failed(Status.TOO_SMALL, message)
        frames = [frame_around(face, self.spec) for face in faces]
        size = located.width, located.height
        if policy.faces != "all" and is_framed(frames[0], *size, self.spec):
            faces, frames = faces[:1], [whole]
        elif policy.faces == "largest":
            faces, frames = faces[:1], frames[:1]
        return replace(
            located,
            faces=tuple(faces),
            frames=tuple(frames),
            points=tuple(face.points for face in faces),
        )

    def _searched(self, width: int, height: int) -> str:
        """That there is no face, and down to which size one was searched."""
        if not isinstance(self.detector, SaysSmallestFace):
            return "no face found"
        smallest = self.detector.smallest_face(width, height)
        size, minimum = self.policy.detect_size, max(self.policy.min_face, FACE_INPUT)
        limit = f"; a detect size of {size} shows no smaller ones"
        return (
            f"no face found (searched for faces of {smallest:.0f} px and more"
            + (limit if size is not None and smallest > minimum else "")
            + ")"
        )

    def _search(self, pixels: Pixels) -> list[Face]:
        """The faces, largest first."""
        return sorted(self.detector(pixels), key=_area, reverse=True)


def in_one_line(error: Exception) -> str:
    """An unexpected exception, for a message."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def _area(face: Face) -> float:
    return face.box.width * face.box.height


def _shorter_side(face: Face) -> float:
    return min(face.box.width, face.box.height)
