"""Errors of requests as problem documents (RFC 9457)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
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
    """No such path, or no such method."""
    assert isinstance(error, HTTPException)
    details = {
        404: "there is nothing at this path; /openapi.json lists what there is",
        405: "this path does not take this method; /openapi.json lists what there is",
    }
    detail = details.get(error.status_code, str(error.detail))
    return Problem(error.status_code, detail, headers=error.headers).response()


async def answer_wrong_parameters(request: Request, error: Exception) -> Response:
    """Parameters that are not valid; each is named, but what was given is not repeated."""
    assert isinstance(error, RequestValidationError)
    errors = [
        {"parameter": str(one["loc"][1] if len(one["loc"]) > 1 else one["loc"][0]),
         "message": str(one["msg"])}
        for one in error.errors()
    ]  # fmt: skip
    detail = "; ".join(f"{one['parameter']}: {one['message']}" for one in errors)
    return Problem(422, detail, errors=errors).response()
