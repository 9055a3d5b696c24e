"""The pictures of a request: its body, read within the limits and kept in memory alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from facegauge.images.sources import named
from facegauge.serve.limits import MB, Limits, Share
from facegauge.serve.problems import Problem, quoted

FIELD = "files"
FORM = "multipart/form-data"
LET_CLIENT = "leave the form and this header to your HTTP client, such as curl -F or FormData"
HOW = f"with curl use -F {FIELD}=@FILE"
MAX_HEADER = 8192  # bytes

Picture = tuple[str, bytes]
"""The name of a picture, and the bytes of its file."""


async def read_pictures(request: Request, limits: Limits, share: Share) -> list[Picture]:
    """The pictures of a request, in the order sent.

    Args:
        request: its body is a form with pictures in the field `files`, or one picture.
        limits: of the body, the files and the time.
        share: counts the bytes that are held.

    Raises:
        Problem: 400, 408, 413, 415, 422 or 429.
        ClientDisconnect: the client went away.
    """
    kind, parameters = parse_options_header(request.headers.get("content-type", ""))
    media_type = kind.decode("latin-1").lower()
    _check_type(request, media_type)
    _check_length(request, limits)
    chunks = _chunks(request, limits, share)
    try:
        async with asyncio.timeout(limits.body_timeout):
            if media_type != FORM:
                body = b"".join([chunk async for chunk in chunks])
                pictures = [(named(body)[0], body)] if body else []
            else:
                pictures = await _read_form(chunks, parameters.get(b"boundary", b""), limits)
    except TimeoutError:
        raise Problem(
            408,
            f"the body did not arrive within {limits.body_timeout:g} s: got {share.size} bytes"
            f"{_of_announced(request)}; send fewer or smaller pictures, or start the service with "
            "a longer --body-timeout",
            limit="body_timeout",
            value=limits.body_timeout,
            close=True,
        ) from None
    if not pictures:
        what = "a form without a file" if media_type == FORM else "an empty body"
        raise Problem(
            422,
            f"there is no picture: got {what}, expected files in the field {FIELD} of a form, or "
            "one picture as the body",
        )
    return pictures


def _of_announced(request: Request) -> str:
    length = request.headers.get("content-length")
    return f" of the {length} announced" if length else ""


def _check_type(request: Request, media_type: str) -> None:
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise Problem(
            415,
            f"got the Content-Encoding {quoted(encoding, 20)}, expected none: send the pictures as "
            "they are",
        )
    if media_type not in (FORM, "application/octet-stream") and not media_type.startswith("image/"):
        given = f"the Content-Type {quoted(media_type)}" if media_type else "no Content-Type"
        raise Problem(
            415,
            f"got {given}, expected {FORM}, image/* or application/octet-stream; {HOW}",
        )


def _check_length(request: Request, limits: Limits) -> None:
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length) > limits.max_body * MB:
        raise _too_long(limits, f"{int(length) / MB:.1f} MB")


def _too_long(limits: Limits, size: str) -> Problem:
    return Problem(
        413,
        f"got a body of {size}, expected at most {limits.max_body} MB; send fewer or smaller "
        "pictures",
        limit="max_body",
        value=limits.max_body * MB,
    )


async def _chunks(request: Request, limits: Limits, share: Share) -> AsyncIterator[bytes]:
    async for chunk in request.stream():
        if share.size + len(chunk) > limits.max_body * MB:
            raise _too_long(limits, f"more than {limits.max_body} MB")
        share.add(len(chunk))
        if chunk:
            yield chunk


async def _read_form(
    chunks: AsyncIterator[bytes], boundary: bytes, limits: Limits
) -> list[Picture]:
    if not boundary:
        raise Problem(400, f"got the Content-Type {FORM} without a boundary; {LET_CLIENT}")
    try:
        form = _Form(boundary, limits)
        async for chunk in chunks:
            form.parser.write(chunk)
        form.parser.finalize()
    except FormParserError as error:
        start = quoted(f"--{boundary.decode('latin-1')}", 70)
        raise Problem(
            400,
            f"the form cannot be read: expected the line {start} before each file, as its "
            f"Content-Type says ({quoted(str(error), 100)[1:-1]}); {LET_CLIENT}",
        ) from None
    if not form.complete:
        raise Problem(
            400,
            f"the form ends after {len(form.pictures)} whole files without its last boundary: "
            "it was cut off; send it again",
        )
    return form.pictures


class _Form:
    """Collects the pictures of a form in memory."""

    def __init__(self, boundary: bytes, limits: Limits) -> None:
        self.pictures: list[Picture] = []
        self.complete = False
        self._limits = limits
        self._parts = 0
        self._header = self._value = b""
        self._disposition = b""
        self._name = ""
        self._data = bytearray()
        self.parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_field,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_finished,
                "on_part_data": self._part_data,
                "on_part_end": self._part_end,
                "on_end": self._end,
            },
        )

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > self._limits.max_files:
            raise Problem(
                413,
                f"got a form of more than {self._limits.max_files} files, the most that a request "
                "takes; send several requests",
                limit="max_files",
                value=self._limits.max_files,
            )
        self._disposition, self._name, self._data = b"", "", bytearray()

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]
        self._check_header()

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]
        self._check_header()

    def _check_header(self) -> None:
        if len(self._header) + len(self._value) > MAX_HEADER:
            raise Problem(
                400,
                f"part {self._parts} of the form has a header of more than {MAX_HEADER} bytes; "
                "shorten the name of its file",
            )

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header = self._value = b""

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        if options.get(b"name") != FIELD.encode():
            given = options.get(b"name")
            field = f"the field {quoted(given.decode('utf-8', 'replace'))}" if given else "no field"
            raise Problem(
                422, f"part {self._parts} of the form has {field}, expected {FIELD!r}: {HOW}"
            )
        if b"filename" not in options:
            raise Problem(
                422,
                f"part {self._parts} of the form has no filename, expected a file, not a text: "
                f"{HOW}",
            )
        self._name = options[b"filename"].decode("utf-8", "replace")

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        self._data += data[start:end]

    def _part_end(self) -> None:
        if self._name or self._data:  # a page sends neither where no file was chosen
            name = self._name or named(b"", len(self.pictures))[0]
            self.pictures.append((name, bytes(self._data)))
        self._data = bytearray()

    def _end(self) -> None:
        self.complete = True


async def until_gone(request: Request) -> None:
    """Return when the client has gone away; the body must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


__all__ = ["ClientDisconnect", "Picture", "read_pictures", "until_gone"]
