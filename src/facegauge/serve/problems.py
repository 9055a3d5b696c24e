"""Errors of requests as problem documents (RFC 9457)."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

MEDIA_TYPE = "application/problem+json"
TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}  # RFC 9110; Python's are older


class Problem(Exception):
    """A request that is not answered as asked.

    Args:
        status: of the HTTP answer.
        detail: one line for people: what was given, what was expected, what to do.
        limit: the limit that the request passed, as in `Limits`.
        value: of the limit, in bytes, pictures or seconds.
        retry_after: seconds after which to try again.
        close: whether the connection is closed after the answer.
        errors: wrong parameters, each with its name and a message.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        limit: str = "",
        value: float | None = None,
        retry_after: float | None = None,
        close: bool = False,
        errors: list[dict[str, str]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.document: dict[str, Any] = {
            "type": "about:blank",
            "title": TITLES.get(status) or HTTPStatus(status).phrase,
            "status": status,
            "detail": detail,
        }
        if limit:
            self.document |= {"limit": limit, "value": value}
        if errors:
            self.document["errors"] = errors
        self.headers = dict(headers or {})
        if retry_after is not None:
            self.headers["Retry-After"] = str(max(1, math.ceil(retry_after)))
        if close:
            self.headers["Connection"] = "close"

    def response(self) -> Response:
        return JSONResponse(self.document, self.status, self.headers, MEDIA_TYPE)

    def body(self) -> bytes:
        """The document as it is sent."""
        return json.dumps(self.document).encode()


async def answer_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def answer_http_error(request: Request, error: Exception) -> Response:
    """No such path, or no such method; OPTIONS tells which methods a path takes."""
    assert isinstance(error, HTTPException)
    path, headers = quoted(request.url.path)[1:-1], dict(error.headers or {})
    match error.status_code:
        case 404:
            near = get_close_matches(request.url.path, request.app.openapi()["paths"], 1)
            meant = f"did you mean {near[0]}? " if near else ""
            detail = f"there is nothing at {path}; {meant}/openapi.json lists what there is"
        case 405:
            methods = sorted({*headers["Allow"].split(", "), "OPTIONS"})
            headers["Allow"] = ", ".join(methods)
            if request.method == "OPTIONS":
                return Response(status_code=204, headers=headers)
            given = quoted(request.method)[1:-1]
            detail = f"{path} does not take {given}; it takes {listed(methods)}"
        case _:
            detail = str(error.detail)
    return Problem(error.status_code, detail, headers=headers).response()


def quoted(text: str, most: int = 60) -> str:
    """What was given, for an answer: in quotation marks, printable, and not too long.

    Args:
        text: as it was given.
        most: characters of it that are kept.
    """
    return repr(text if len(text) <= most else f"{text[:most]}...")


def listed(words: Iterable[str], last: str = "and") -> str:
    """Words as they stand in a sentence: "a, b and c"."""
    *others, final = words
    return f"{', '.join(others)} {last} {final}" if others else final
