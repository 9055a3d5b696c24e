"""Pages of other origins that may use the service from a browser (CORS)."""

from __future__ import annotations

import re

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from facegauge.errors import UsageError

ANY = "*"
ORIGIN = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>[a-z0-9]([a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])"
    r"(:(?P<port>[0-9]{1,5}))?"
)
DEFAULT_PORTS = {"http": 80, "https": 443}
LAST_PORT = 65535


def checked_origins(origins: list[str]) -> list[str]:
    """Origins as browsers send them: in small letters, without the port that goes without saying.

    Args:
        origins: such as `https://photos.example` or `http://localhost:3000`; or `*` alone.

    Raises:
        UsageError: one is not an origin, or `*` is not alone.
    """
    if ANY in origins and len(origins) > 1:
        raise UsageError(f"expected the origin {ANY} alone, got {', '.join(origins)}")
    return [one if one == ANY else _checked(one) for one in origins]


def _checked(origin: str) -> str:
    found = ORIGIN.fullmatch(origin.lower())
    if found:
        scheme, host = found["scheme"], found["host"]
        usual = DEFAULT_PORTS[scheme]
        port = int(found["port"] or usual)
        if 0 < port <= LAST_PORT:
            return f"{scheme}://{host}" if port == usual else f"{scheme}://{host}:{port}"
    raise UsageError(
        "expected an origin such as https://example.org or http://localhost:3000, without a path, "
        f"or {ANY}, got {origin!r}"
    )


def allow_origins(app: FastAPI, origins: list[str]) -> None:
    """Let pages of some origins use the service from a browser.

    Args:
        app: of the service.
        origins: see `checked_origins`.
    """
    app.add_middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=["GET", "POST"],
        allow_headers=["Authorization", "Content-Type"],
        expose_headers=["Retry-After"],
        max_age=600,
    )
