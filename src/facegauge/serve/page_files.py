"""All files of the page: what the service gives to browsers, and what an export writes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from facegauge import __version__
from facegauge.calibration import BANDS
from facegauge.faces.notes import NOTES
from facegauge.faces.spec import PreprocessSpec
from facegauge.factors import FACTORS
from facegauge.package_files import package_path
from facegauge.ratings import RATINGS
from facegauge.results import COLUMNS
from facegauge.scorer import Scorer
from facegauge.serve import web_runtime
from facegauge.serve.limits import MB, Limits
from facegauge.serve.page_file import MEDIA_TYPES, PageFile
from facegauge.serve.private_mode import private_mode

FOLDER = "serve/page"  # in the package
NO_RUNTIME = "This needs onnxruntime-web on the server: facegauge serve --get-web-runtime"
DENSE = "This scorer needs dense landmarks, which the page does not find in pictures."
INDEX, CONFIG = "index.html", "page/config.json"
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
    config, files = page_config(scorer, service), list(_code())
    runtime = web_runtime.find()
    if scorer.spec.dense_landmarks:
        config["private_hint"] = DENSE
    elif runtime is not None:
        config["private"], more = private_mode(scorer, runtime)
        files += more
    files.append(PageFile(CONFIG, json.dumps(config).encode()))
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
        "private_hint": NO_RUNTIME,
    }


def _factor_docs(spec: PreprocessSpec) -> dict[str, dict[str, str]]:
    """What people are told of each factor, and of each column of those without a rating."""
    columns = [column for make in FACTORS.values() for column in make(spec).columns]
    told = {one.name: _told(one.name.replace("_", " "), one.doc, one.unit) for one in columns}
    return told | {name: _told(one.title, one.doc, one.unit) for name, one in RATINGS.items()}


def _told(title: str, doc: str, unit: str) -> dict[str, str]:
    return {"title": title, "doc": doc, "unit": unit}


def _code() -> Iterator[PageFile]:
    """index.html, and what it loads."""
    root = package_path(FOLDER)
    for path in sorted(root.rglob("*")):
        if path.suffix in MEDIA_TYPES:
            inside = path.relative_to(root).as_posix()
            yield PageFile(inside if inside == INDEX else f"page/{inside}", path)
