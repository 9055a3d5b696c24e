"""The one road from a picture to its face crops: open, search, frame; callers keep what they need.

Scoring, evaluation, labelling, training inputs and portraits all go through `FaceExtractor`, each
with its own `ExtractionPolicy`, so that they see the same faces, frames and statuses.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from facegauge.arrays import Pixels
from facegauge.errors import MissingExtra, PictureError, ScorerError, UsageError, in_one_line
from facegauge.faces.dense_landmarks import dense_points
from facegauge.faces.detection import CenterFace, Detector, SaysSmallestFace
from facegauge.faces.framing import frame_around, is_framed
from facegauge.faces.located import Located, Prepared
from facegauge.faces.lookahead import default_threads, map_ahead
from facegauge.faces.notes import notes_of
from facegauge.faces.policy import ExtractionPolicy
from facegauge.faces.pose import pose
from facegauge.faces.search import FACE_INPUT
from facegauge.faces.spec import PreprocessSpec
from facegauge.faces.turning import turned_box, turned_face
from facegauge.images.loading import read_picture
from facegauge.images.memory import shared_budget
from facegauge.images.sources import named
from facegauge.results import Box, Face, Point, Status

if TYPE_CHECKING:
    from facegauge.images.sources import Source

T = TypeVar("T")


class FaceExtractor:
    """Opens pictures, searches and frames their faces; can be pickled and shared by threads.

    Args:
        spec: framing, and for `prepare` sampling.
        policy: which faces are taken.
        detector: finds the faces in (H, W, 3) uint8 RGB pixels; CenterFace by default.
        threads: of CenterFace for one large input, which runs alone.
        device: of CenterFace, cpu or cuda.

    Raises:
        UsageError: the policy has a `detect_size` for a detector of one's own.
    """

    def __init__(
        self,
        spec: PreprocessSpec,
        policy: ExtractionPolicy,
        detector: Detector | None = None,
        threads: int = 1,
        device: str = "cpu",
    ) -> None:
        if detector is not None and policy.detect_size is not None:
            raise UsageError(
                "detect_size goes with the built-in detector, not with one of your own"
            )
        self.spec, self.policy = spec, policy
        self.detector: Detector = detector or CenterFace(
            min_face=policy.min_face,
            threads=threads,
            max_size=policy.detect_size,
            device=device,
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
        return self._locate(source, name, lambda size: None)

    def _locate(self, source: Source, name: str | None, admit: Callable[[int], None]) -> Located:
        own, picture = named(source)
        located = Located(own if name is None else name)
        try:
            opened = read_picture(picture, self.policy.max_pixels, admit)
            pixels = opened.pixels
            size = {"height": pixels.shape[0], "width": pixels.shape[1]}
            located = replace(located, message=opened.note, **size)
            dense = dense_points(picture) if self.spec.dense_landmarks else ()
            return self._framed(replace(located, pixels=pixels), pixels, dense)
        except PictureError as error:
            return located.failed(Status(error.status), str(error))
        except (ScorerError, MissingExtra):
            raise
        except Exception as error:
            return located.failed(Status.ERROR, in_one_line(error))

    def prepare(self, located: Located) -> Prepared:
        """The crops of a located picture and the notes of its faces, without its pixels."""
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
            turns=located.turns,
            notes=notes_of(located, self.spec),
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
            located = self._locate(source, name, lease.resize)
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
        return map_named(
            lambda source, name: self.extract(source, cut, name),
            sources,
            default_threads() if threads is None else threads,
        )

    def _framed(self, located: Located, pixels: Pixels, dense: tuple[Point, ...]) -> Located:
        """Search an open picture, and frame the faces that the policy takes."""
        points = self.policy.landmarks and not self.spec.dense_landmarks
        searched = self.policy.faces != "whole" or points
        return self.frame(located, self.detector(pixels) if searched else [], dense)

    def frame(
        self, located: Located, found: Iterable[Face], dense: tuple[Point, ...] = ()
    ) -> Located:
        """Frame the faces that the policy takes of those that were found.

        Args:
            located: a picture without faces; only its size is used, not its pixels.
            found: its faces, in its pixels, in any order.
            dense: its dense landmarks, for a spec that asks for them; none: unknown.

        Returns:
            The picture with its faces; or with the status no_face or too_small.
        """
        framed = self._framed_faces(located, found)
        if not self.spec.dense_landmarks:
            return framed
        return replace(framed, points=(dense,) * len(framed.points))

    def _framed_faces(self, located: Located, found: Iterable[Face]) -> Located:
        policy, whole = self.policy, Box(0, 0, located.width, located.height)
        found = sorted(found, key=_area, reverse=True)
        if policy.faces == "whole":
            points = found[0].points if found else ()
            return replace(located, faces=(None,), frames=(whole,), points=(points,), turns=(0,))
        if not found:
            return located.failed(Status.NO_FACE, self._searched(located.width, located.height))
        faces = [face for face in found if _shorter_side(face) >= policy.min_face]
        if not faces:
            largest = int(max(map(_shorter_side, found)))
            message = f"the largest face is {largest} px, the minimum is {policy.min_face:g} px"
            return located.failed(Status.TOO_SMALL, message)
        if policy.faces == "largest":
            faces = faces[:1]
        turns = [pose(face.points).quarter_turns for face in faces]
        size = located.width, located.height
        turned = [size[::-1] if turn % 2 else size for turn in turns]
        upright = [turned_face(*pair, size) for pair in zip(faces, turns, strict=True)]
        frames = [frame_around(face, self.spec) for face in upright]
        if policy.faces != "all" and is_framed(frames[0], *turned[0], self.spec):
            faces, turns, frames = faces[:1], turns[:1], [Box(0, 0, *turned[0])]
        back = zip(frames, turns, turned, strict=False)
        return replace(
            located,
            faces=tuple(faces),
            frames=tuple(turned_box(frame, -turn, around) for frame, turn, around in back),
            points=tuple(face.points for face in faces),
            turns=tuple(turns),
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


def map_named(
    function: Callable[[Source, str], T], sources: Iterable[Source], threads: int
) -> Generator[T, None, None]:
    """Call a function with each source and its name, in threads, as `FaceExtractor.map` does."""

    def call(placed: tuple[int, Source]) -> T:
        return function(placed[1], named(placed[1], placed[0])[0])

    return map_ahead(call, enumerate(sources), threads)


def _area(face: Face) -> float:
    return face.box.width * face.box.height


def _shorter_side(face: Face) -> float:
    return min(face.box.width, face.box.height)
