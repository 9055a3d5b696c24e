"""The paths of the page, and how browsers may keep its files."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from functools import lru_cache

from fastapi import FastAPI, Request
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response

from facegauge.serve.page_file import PageFile
from facegauge.serve.page_files import HEADERS, INDEX

FOR_GOOD = "private, max-age=31536000, immutable"
CHECKED = "no-cache"  # kept, but asked for each time whether it has changed
PACKED = ("text/", "application/json", "application/wasm", "image/svg")  # what gets smaller


def add_page(app: FastAPI, files: Mapping[str, PageFile]) -> None:
    """Add the paths of the page to the application.

    Args:
        app: of the service.
        files: by their names, see `page_files`.
    """

    async def give(request: Request) -> Response:
        file = files.get(request.url.path.removeprefix("/") or INDEX)
        if file is None:
            raise HTTPException(404)
        return await _answer(file, request)

    for path in ("/", "/page/{name:path}", "/runtime/{name:path}", "/models/{name:path}"):
        app.add_api_route(path, give, methods=["GET", "HEAD"], include_in_schema=False)


async def _answer(file: PageFile, request: Request) -> Response:
    etag = await run_in_threadpool(lambda: file.etag)
    headers = {
        **HEADERS,
        "Cache-Control": FOR_GOOD if file.is_fixed else CHECKED,
        "ETag": etag,
        "Vary": "Accept-Encoding",
    }
    known = request.headers.get("if-none-match", "").split(",")
    if etag in (one.strip().removeprefix("W/") for one in known):
        return Response(status_code=304, headers=headers)
    if file.media_type.startswith(PACKED) and _takes_gzip(request):
        body = await run_in_threadpool(_packed, file)
        headers["Content-Encoding"] = "gzip"
    else:
        body = await run_in_threadpool(file.read)
    return Response(body, headers=headers, media_type=file.media_type)


def _takes_gzip(request: Request) -> bool:
    given = request.headers.get("accept-encoding", "").split(",")
    return "gzip" in (one.partition(";")[0].strip() for one in given)


@lru_cache(maxsize=64)
def _packed(file: PageFile) -> bytes:
    return gzip.compress(file.read(), 6, mtime=0)
