"""The parameters of requests, and what to say of wrong ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Literal

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, field_validator
from starlette.requests import Request
from starlette.responses import Response

from facegauge.faces.detection import MIN_FACE
from facegauge.faces.policy import FACES
from facegauge.factors import FACTORS
from facegauge.serve.problems import Problem, listed, quoted
from facegauge.serve.scoring import Options

MOST_ERRORS = 10  # that an answer names


class ScoreQuery(BaseModel):
    """The parameters of a request that sends pictures."""

    model_config = ConfigDict(extra="forbid")

    faces: Literal[FACES] = Field("auto", description="Faces to score, as in `facegauge score`.")  # type: ignore[valid-type]
    min_face: float = Field(
        MIN_FACE,
        ge=0,
        le=100_000,
        allow_inf_nan=False,
        description="Minimum of a face's shorter side, in pixels.",
    )
    factors: list[Literal[tuple(FACTORS)]] = Field(  # type: ignore[valid-type]
        [], description="What to measure on each face beside its score; may be repeated."
    )
    heat_map: bool = Field(False, description="Add the heat map of each face.")

    @field_validator("factors")
    @classmethod
    def _once(cls, factors: list[str]) -> list[str]:
        if len(set(factors)) < len(factors):
            raise ValueError("the same twice")
        return factors

    def options(self) -> Options:
        return Options(self.faces, self.min_face, tuple(self.factors), self.heat_map)


class BestQuery(ScoreQuery):
    """The parameters of `/v1/best`."""

    n: int = Field(1, ge=1, le=100_000, description="How many pictures at most.")


def check_once(request: Request, query: ScoreQuery) -> None:
    """Refuse a parameter that is given twice and takes one value: which one was meant?

    Raises:
        Problem: 422, which names it.
    """
    properties = _properties(query)
    errors = [
        _wrong(name, f"given {len(values)} times, expected once: {_expected(properties[name])}")
        for name in dict.fromkeys(request.query_params)
        if len(values := request.query_params.getlist(name)) > 1
        and properties[name]["type"] != "array"
    ]
    if errors:
        raise _problem(errors)


async def answer_wrong_parameters(request: Request, error: Exception) -> Response:
    """Parameters that are not valid: each with what was given and what is expected."""
    assert isinstance(error, RequestValidationError)
    query = BestQuery if request.url.path.endswith("/best") else ScoreQuery
    properties = _properties(query)
    names = dict.fromkeys(str(one["loc"][1]) for one in error.errors() if len(one["loc"]) > 1)
    return _problem(list(_errors(names, properties, request))).response()


def _errors(
    names: Mapping[str, None], properties: Mapping[str, Any], request: Request
) -> Iterator[dict[str, str]]:
    for name in names:
        if name not in properties:
            near = get_close_matches(name, properties, 1)
            meant = f"did you mean {near[0]}? " if near else ""
            yield _wrong(
                name, f"not a parameter; {meant}{request.url.path} takes {listed(properties)}"
            )
        else:
            given = listed([quoted(value) for value in request.query_params.getlist(name)])
            yield _wrong(name, f"got {given}, expected {_expected(properties[name])}")


def _problem(errors: list[dict[str, str]]) -> Problem:
    named = errors[:MOST_ERRORS]
    told = [f"{one['parameter']}: {one['message']}" for one in named]
    if len(errors) > len(named):
        told.append(f"and {len(errors) - len(named)} more")
    return Problem(422, "; ".join(told), errors=named)


def _wrong(name: str, message: str) -> dict[str, str]:
    return {"parameter": quoted(name)[1:-1], "message": message}


def _properties(query: ScoreQuery | type[ScoreQuery]) -> dict[str, Any]:
    """The parameters as JSON schemas."""
    found: dict[str, Any] = query.model_json_schema()["properties"]
    return found


def _expected(schema: Mapping[str, Any]) -> str:
    """What a parameter takes, in words."""
    if "enum" in schema:
        return listed(schema["enum"], "or")
    match schema["type"]:
        case "array":
            return f"{_expected(schema['items'])}, each once"
        case "boolean":
            return "true or false"
        case kind:
            number = "a whole number" if kind == "integer" else "a number"
            return f"{number} from {schema['minimum']:g} to {schema['maximum']:.0f}"
