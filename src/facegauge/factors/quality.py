"""The ten factors of quality: what can be wrong with the picture of a face, each rated."""

from __future__ import annotations

from collections.abc import Mapping

from facegauge.arrays import Pixels
from facegauge.faces.framing import face_box, missing_head
from facegauge.faces.pose import pose
from facegauge.faces.spec import PreprocessSpec
from facegauge.factors.blocking import blocking
from facegauge.factors.detail import motion, noise_of, sharpness
from facegauge.factors.light import colour_cast, contrast, exposure
from facegauge.factors.pose import turned_away
from facegauge.factors.view import view_of
from facegauge.ratings import COLUMNS, RATINGS, as_columns
from facegauge.results import Box, Face
from facegauge.schema import Value


class Quality:
    """Measures sharpness, motion, noise, blocking, exposure, contrast, colour cast, resolution,
    pose and how much of the head is cut off; see `facegauge.ratings` for what the values mean.

    What is seen is measured at one fixed size of the frame, so that a large and a small copy of a
    picture agree, and inside the face box, so that a blurred background does not count.

    Args:
        spec: of the scorer, for where a face is in a picture that is taken whole.
    """

    name = "quality"
    columns = COLUMNS.columns

    def __init__(self, spec: PreprocessSpec) -> None:
        self._spec = spec

    def measure(self, pixels: Pixels, face: Face | None, frame: Box) -> Mapping[str, Value]:
        """Values and ratings; pose is None without points, colour cast without colours."""
        box = face.box if face else face_box(frame, self._spec)
        points = face.points if face else ()
        view = view_of(pixels, box, frame)
        height, width = pixels.shape[:2]
        return as_columns(
            {
                "sharpness": sharpness(view.face),
                "motion": motion(view.face, pose(points).angle),
                "noise": noise_of(view, RATINGS["noise"].good),
                "blocking": blocking(view.own),
                "exposure": exposure(view.face_colours, view.frame_colours),
                "contrast": contrast(view.face_colours),
                "colour_cast": colour_cast(view.face_colours, view.frame_colours),
                "resolution": box.width,
                "pose": turned_away(points),
                "cut_off": missing_head(box, width, height),
            }
        )
