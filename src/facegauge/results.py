"""Results as frozen dataclasses: statuses, boxes, faces, scores, and the columns of their rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from facegauge.ratings import COLUMNS as RATED_COLUMNS
from facegauge.ratings import Rated, rated
from facegauge.schema import Column, FrozenValues, Schema, Value

if TYPE_CHECKING:
    from facegauge.arrays import FloatArray

Point = tuple[float, float]

NO_FACTORS = FrozenValues({})


class Status(StrEnum):
    """The outcome for one input picture."""

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

    The points are left eye, right eye, nose, left and right mouth corner, where left is what is at
    the left when the face is upright.
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
        low, high: conformal interval that covers the challenge label in 90 % of cases.
        percentile: share of the scorer's named reference labels at or below `score`, 0..100.
        band: the word for the score: bad, poor, fair, good or excellent.
        face: where the face is; None when the whole picture was scored.
        factors: what the scorer's factors measured, by column name; cannot be changed.
        notes: how the face is unlike those that scorers learn from, words of `faces.notes.NOTES`;
            empty for ordinary faces.

    Raises:
        ValueError: `score` is not in its interval.
    """

    score: float
    low: float
    high: float
    percentile: float
    band: str
    face: Face | None = None
    factors: Mapping[str, Value] = NO_FACTORS
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.factors, FrozenValues):
            object.__setattr__(self, "factors", FrozenValues(self.factors))
        if not self.low <= self.score <= self.high:
            raise ValueError(f"expected low <= score <= high, got {self}")

    @property
    def ratings(self) -> dict[str, Rated]:
        """The factors of quality by name, rated; empty unless the scorer measured `quality`."""
        return rated(self.factors)

    @property
    def problems(self) -> tuple[str, ...]:
        """The names of the factors of quality that are a problem, worst first."""
        ratings = {name: one.rating for name, one in self.ratings.items() if one.advice}
        return tuple(sorted(ratings, key=lambda name: ratings[name] or 0.0))

    def _nested_factors(self) -> dict[str, Any]:
        """What was measured, for JSON: an object for each factor of quality, else a value."""
        others = {key: value for key, value in self.factors.items() if key not in RATED_COLUMNS}
        return others | {name: asdict(one) for name, one in self.ratings.items()}


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
        """The result as plain JSON types.

        Returns:
            The picture's path, status, message and size, and a list `faces` with the columns
            `COLUMNS` of each face except those of the picture, `notes` as a list, and an object
            `factors` with what the scorer's factors measured, empty without any: a value by column
            name, and for each factor of quality an object with its value, rating and advice. (The
            rows of a table have the factors' columns beside the others.)
        """
        of_picture = ("path", "status", "message")
        return {
            "path": self.path,
            "status": self.status.value,
            "message": self.message,
            "width": self.width,
            "height": self.height,
            "faces": [
                {key: value for key, value in self._row(*one).items() if key not in of_picture}
                | {"notes": list(one[1].notes), "factors": one[1]._nested_factors()}
                for one in enumerate(self.faces)
            ],
        }

    def rows(self, schema: Schema | None = None) -> list[dict[str, Any]]:
        """One flat row a face; one row, whose `face` is None, when there is no face.

        Args:
            schema: the columns of the rows: `COLUMNS`, the default, and columns of factors, such
                as `Scorer.schema`. Factors that were not measured are None.

        Returns:
            Dictionaries whose keys are the names of the schema, in its order.
        """
        names = COLUMNS.names if schema is None else schema.names
        if not self.faces:
            empty: dict[str, Any] = dict.fromkeys(names)
            empty.update(path=self.path, status=self.status.value, message=self.message)
            return [empty]
        rows = [self._row(number, face) for number, face in enumerate(self.faces)]
        if names is COLUMNS.names:
            return rows
        known = [{**face.factors, **row} for face, row in zip(self.faces, rows, strict=True)]
        return [{name: row.get(name) for name in names} for row in known]

    def _repr_html_(self) -> str:
        """A table of the faces, which notebooks show; names are escaped, nothing is fetched."""
        from html import escape

        about = escape(f"{self.path}: {self.message or self.status.value.replace('_', ' ')}")
        if not self.faces:
            return f"<p>{about}</p>"
        titles = ("face", "score", "interval", "percentile", "band", "notes")
        head = "".join(f'<th scope="col">{title}</th>' for title in titles)
        body = "".join(
            f'<tr><th scope="row">{number}</th><td>{face.score:.3f}</td>'
            f"<td>{face.low:.2f} to {face.high:.2f}</td><td>{face.percentile:.0f}</td>"
            f"<td>{escape(face.band)}</td><td>{escape(' '.join(face.notes))}</td></tr>"
            for number, face in enumerate(self.faces)
        )
        caption = f'<caption style="caption-side: top; text-align: left">{about}</caption>'
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

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
            "notes": " ".join(scored.notes) or None,
        }


FIRST_COLUMNS = Schema(
    [
        Column("path", "str", "The picture as it was given; `<image 0>` and so on in memory."),
        Column(
            "face", "int", "Number of the face in its picture, from 0, the largest; empty if none."
        ),
        Column(
            "status",
            "str",
            "`ok`, or why there is no score: `no_face`, `too_small`, `unreadable`, `too_large` or "
            "`error`.",
        ),
        Column("score", "float", "Perceptual quality of the face, 0 (worst) to 1 (best)."),
        Column("low", "float", "Lower end of the 90 % conformal interval of the label, 0 to 1."),
        Column("high", "float", "Upper end of the 90 % conformal interval of the label, 0 to 1."),
        Column(
            "percentile",
            "float",
            "Share of the scorer's reference labels at or below the score, 0 to 100.",
        ),
        Column(
            "band", "str", "A word for the score: `bad`, `poor`, `fair`, `good` or `excellent`."
        ),
        Column("left", "float", "Left edge of the face box, in pixels of the upright picture."),
        Column("top", "float", "Upper edge of the face box, in pixels of the upright picture."),
        Column("right", "float", "Right edge of the face box, in pixels of the upright picture."),
        Column("bottom", "float", "Lower edge of the face box, in pixels of the upright picture."),
        Column("confidence", "float", "The face detector's confidence, 0 to 1."),
        Column("message", "str", "One line for people; empty when there is nothing to report."),
    ]
)
"""The columns of every score table, also of those that earlier versions wrote."""

LATER_COLUMNS = (
    Column(
        "notes",
        "str",
        "How the face is unlike those that scorers learn from, so that its score is less certain: "
        "words with spaces between them, such as `tiny grey`; empty for ordinary faces.",
    ),
)
"""The columns that tables of versions before 0.3.0 do not have."""

COLUMNS = FIRST_COLUMNS + LATER_COLUMNS
"""The columns of score tables; factors add theirs after them."""


@dataclass(frozen=True, slots=True, eq=False)
class HeatMap:
    """Where in a face's frame its score comes from.

    Of a large face whose score is a mean over crops, the maps are those of the first.

    Attributes:
        values: (h, w) float32, what each place of an even grid would score by itself; not bounded.
            Their mean is the score, before it is clipped to 0..1. A place's features see its
            surroundings too, so these are regions, not pixels.
        quality, confidence: (h, w) float32, of a DSL-FIQA scorer, None of others: the score is the
            mean quality, weighted by the confidence, 0..1.
        frame: what the grid covers, in the upright picture's pixels; may reach beyond the border.
        face: whose frame it is; None when the whole picture was taken.
    """

    values: FloatArray
    frame: Box
    face: Face | None
    quality: FloatArray | None = None
    confidence: FloatArray | None = None

    def to_dict(self) -> dict[str, Any]:
        """The values, rounded to six decimals, and the edges of the frame, as JSON types."""
        frame = self.frame
        return {
            "values": self.values.astype(float).round(6).tolist(),
            "left": frame.left,
            "top": frame.top,
            "right": frame.right,
            "bottom": frame.bottom,
        }
