"""A file that browsers fetch."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".onnx": "application/octet-stream",
}


@dataclass(frozen=True)
class PageFile:
    """One file of the page.

    Attributes:
        name: its address from the page, such as "page/main.js".
        source: where it lies, or what is in it.
        is_fixed: its name tells its content, so it may be kept for good.
    """

    name: str
    source: Path | bytes
    is_fixed: bool = False

    @property
    def media_type(self) -> str:
        return MEDIA_TYPES[Path(self.name).suffix]

    def read(self) -> bytes:
        return self.source if isinstance(self.source, bytes) else self.source.read_bytes()

    @cached_property
    def etag(self) -> str:
        return f'"{hashlib.sha256(self.read()).hexdigest()[:32]}"'
