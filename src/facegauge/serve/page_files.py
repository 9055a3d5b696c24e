"""The files of the page: what the service gives to browsers, and what an export writes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from facegauge import __version__
from facegauge.calibration import BANDS
from facegauge.faces.notes import NOTES
from facegauge.faces.spec import PreprocessSpec
from facegauge.factors import FACTORS
from facegauge.package_files import package_path
from facegauge.results import COLUMNS
from facegauge.scorer import Scorer
from facegauge.serve.limits import MB, Limits

FOLDER = "serve/page"  # in the package
INDEX, CONFIG = "index.html", "page/config.json"
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
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; "
    "style-src 'self'; img-src 'self' blob:; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'"
)
"""The policy of the page's documents and workers; index.html holds it too, for other servers."""

HEADERS = {
    "Content-Security-Policy": f"{POLICY}; frame-ancestors 'none'",
    "Cross-Origin-Embedder-Policy": "require-corp",  # with the opener policy: threads
    "Permissions-Policy": "camera=(self), geolocation=(), microphone=()",
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


def page_files(
    scorer: Scorer, limits: Limits | None = None, *, needs_key: bool = False
) -> dict[str, PageFile]:
    """The files of the page by their names.

    Args:
        scorer: what scores.
        limits: of the service behind the page; None: there is none.
        needs_key: whether the service asks for a key.
    """
    service = None
    if limits is not None:
        service = {
            "max_body": limits.max_body * MB,
            "max_files": limits.max_files,
            "needs_key": needs_key,
        }
    config = json.dumps(page_config(scorer, service)).encode()
    files = [*_code(), PageFile(CONFIG, config)]
    return {file.name: file for file in files}


def page_config(scorer: Scorer, service: dict[str, Any] | None) -> dict[str, Any]:
    """What the page's code has to know."""
    card = scorer.card
    model = {name: getattr(card, name) for name in ("name", "version", "sha256", "summary")}
    return {
        "version": __version__,
        "service": service,
        "model": model
        | {
            "heat_map": scorer.has_heat_map,
            "factors": list(FACTORS),
            "reference": card.calibration.reference,
        },
        "bands": list(BANDS),
        "notes": dict(NOTES),
        "factors": _factor_docs(scorer.spec),
        "columns": list(COLUMNS.names),
        "private": None,
    }


def _factor_docs(spec: PreprocessSpec) -> dict[str, str]:
    """What each column of each factor means."""
    columns = [column for make in FACTORS.values() for column in make(spec).columns]
    return {column.name: column.doc for column in columns}


def _code() -> Iterator[PageFile]:
    """index.html, and what it loads."""
    root = package_path(FOLDER)
    for path in sorted(root.rglob("*")):
        if path.suffix in MEDIA_TYPES:
            inside = path.relative_to(root).as_posix()
            yield PageFile(inside if inside == INDEX else f"page/{inside}", path)
