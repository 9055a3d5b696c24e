"""What /openapi.json says of bodies and answers, made from the columns of results."""

from __future__ import annotations

from typing import Any

from facegauge.faces.notes import NOTES
from facegauge.faces.spec import PreprocessSpec
from facegauge.factors import FACTORS
from facegauge.ratings import COLUMNS as RATED
from facegauge.ratings import RATINGS, Rating
from facegauge.results import COLUMNS, Box, Face, FaceScore, ImageScore, Status
from facegauge.serve.bodies import FIELD, FORM
from facegauge.serve.problems import MEDIA_TYPE, Problem
from facegauge.serve.scoring import Scored

Json = dict[str, Any]

TYPES = {"str": "string", "int": "integer", "float": "number"}
OF_PICTURE = ("path", "status", "message")

_FACE = FaceScore(
    *(0.3704, 0.3088, 0.4382, 64.2, "fair"), Face(Box(180.2, 69.6, 265.4, 186.5), 0.98)
)
SCORED = Scored(ImageScore("portrait.jpg", Status.OK, (_FACE,), "", 512, 512))
UNREADABLE = Scored(
    ImageScore("notes.txt", Status.UNREADABLE, (), "not a picture that facegauge can read")
)


def body() -> Json:
    """The body of the requests that send pictures."""
    binary = {"schema": {"type": "string", "format": "binary"}}
    files = {
        "type": "array",
        "items": {"type": "string", "format": "binary"},
        "minItems": 1,
        "description": "The pictures, as files with their names.",
    }
    form = {
        "type": "object",
        "properties": {FIELD: files},
        "required": [FIELD],
        "additionalProperties": False,
    }
    content = {FORM: {"schema": form}, "image/*": binary, "application/octet-stream": binary}
    return {"requestBody": {"required": True, "content": content}}


def answers(description: str, name: str, example: Json, *problems: int) -> dict[int | str, Any]:
    """The answers of a path: the one with status 200 and the problems.

    Args:
        description: of the answer.
        name: of its schema in `SCHEMAS`.
        example: an answer.
        problems: status codes of the problems.
    """
    given: dict[int | str, Any] = {status: problem(status) for status in problems}
    given[200] = _answer(description, name, example, "application/json")
    return given


def problem(status: int) -> Json:
    """An answer that is a problem document."""
    document = Problem(status, "what was given, what was expected, what to do").document
    return _answer(document["title"], "Problem", document, MEDIA_TYPE)


def _answer(description: str, name: str, example: Json, media_type: str) -> Json:
    schema = {"$ref": f"#/components/schemas/{name}"}
    content = {media_type: {"schema": schema, "example": example}}
    return {"description": description, "content": content}


def _object(description: str, properties: Json, optional: tuple[str, ...] = ()) -> Json:
    required = [name for name in properties if name not in optional]
    return {
        "type": "object",
        "description": description,
        "properties": properties,
        "required": required,
    }


def _list(name: str, description: str = "") -> Json:
    items = {"$ref": f"#/components/schemas/{name}"}
    return {"type": "array", "items": items} | ({"description": description} if description else {})


def _column(name: str) -> Json:
    column = COLUMNS[name]
    kinds = [TYPES[column.type]]
    if name in ("left", "top", "right", "bottom", "confidence"):
        kinds.append("null")  # where the whole picture was scored
    return {"type": kinds if len(kinds) > 1 else kinds[0], "description": column.doc}


def _picture() -> Json:
    return {
        "path": {"type": "string", "description": "The name of the file as it was sent."},
        "status": {
            "type": "string",
            "enum": [status.value for status in Status],
            "description": COLUMNS["status"].doc,
        },
        "message": _column("message"),
        "width": {"type": "integer", "description": "Of the upright picture, in pixels, or 0."},
        "height": {"type": "integer", "description": "Of the upright picture, in pixels, or 0."},
        "faces": _list("Face"),
        "heat_maps": _list("HeatMap"),
    }


def _notes() -> Json:
    meanings = "; ".join(f"`{note}`: {meaning}" for note, meaning in NOTES.items())
    return {
        "type": "array",
        "items": {"type": "string", "enum": list(NOTES)},
        "description": "How the face is unlike those that scorers learn from, so that its score is "
        f"less certain. {meanings}.",
    }


def _factors() -> Json:
    columns = [column for make in FACTORS.values() for column in make(PreprocessSpec()).columns]
    return {
        "type": "object",
        "description": "What the factors measured that were asked for: a value by column, and for "
        "each factor of `quality` an object.",
        "properties": {
            column.name: {
                "type": [TYPES[column.type], "null"],
                "description": column.doc,
            }
            for column in columns
            if column.name not in RATED
        }
        | {name: _rated(rating) for name, rating in RATINGS.items()},
    }


def _rated(rating: Rating) -> Json:
    """One factor of quality."""
    return _object(
        rating.doc,
        {
            "value": {"type": ["number", "null"]},
            "rating": {
                "type": ["number", "null"],
                "description": "0 (severe) to 1 (as in good portraits); below 0.5 is a problem.",
            },
            "advice": {"type": "string", "description": "Empty where there is no problem."},
        },
    )


_TEXT = {"type": "string"}
_NUMBER = {"type": "number"}
_SCORER = {"$ref": "#/components/schemas/Scorer"}

SCHEMAS: Json = {
    "Scorer": _object(
        "The scorer that gave the scores.",
        {
            "name": _TEXT,
            "version": _TEXT,
            "sha256": {"type": "string", "description": "Of the scorer's network."},
        },
    ),
    "Face": _object(
        "The score of one face.",
        {name: _column(name) for name in COLUMNS.names if name not in OF_PICTURE}
        | {"notes": _notes(), "factors": _factors()},
    ),
    "HeatMap": _object(
        "Where in the frame of a face its score comes from.",
        {
            "values": {
                "type": "array",
                "items": {"type": "array", "items": _NUMBER},
                "description": "Rows of an even grid; their mean is the score.",
            },
            **{
                side: {"type": "number", "description": "Of the frame, in pixels of the picture."}
                for side in ("left", "top", "right", "bottom")
            },
        },
    ),
    "Picture": _object("The result of one picture.", _picture(), ("heat_maps",)),
    "PlacedPicture": _object(
        "The result of one picture, with its place in the order sent.",
        {"index": {"type": "integer", "description": "From 0."}, **_picture()},
        ("heat_maps",),
    ),
    "Scores": _object(
        "One result for each picture, in the order sent.",
        {"scorer": _SCORER, "pictures": _list("Picture")},
    ),
    "Best": _object(
        "The pictures with the best faces.",
        {
            "scorer": _SCORER,
            "best": _list("PlacedPicture", "Best first."),
            "unscored": _list("PlacedPicture", "Without a scored face, in the order sent."),
        },
    ),
    "Models": _object(
        "What this service scores with.",
        {
            "models": {
                "type": "array",
                "items": _object(
                    "A scorer.",
                    {
                        **dict.fromkeys(("name", "version", "sha256", "summary", "licence"), _TEXT),
                        "heat_map": {"type": "boolean"},
                        "factors": {"type": "array", "items": _TEXT},
                    },
                ),
            }
        },
    ),
    "Health": _object("The state of the service.", {"status": _TEXT}),
    "Problem": _object(
        "An error of a request (RFC 9457).",
        {
            "type": _TEXT,
            "title": _TEXT,
            "status": {"type": "integer"},
            "detail": {"type": "string", "description": "One line for people."},
            "limit": {"type": "string", "description": "The limit that was passed."},
            "value": {"type": "number", "description": "Of the limit."},
            "errors": {
                "type": "array",
                "items": _object("A wrong parameter.", {"parameter": _TEXT, "message": _TEXT}),
            },
        },
        ("limit", "value", "errors"),
    ),
}
