"""What the page needs to score in the browser: networks, runtime, and every number of the search.

The code is in `page/private/`. It takes all thresholds and sizes from here, so that none is
written twice; what it computes with them has to be what the Python modules of the same names do.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from facegauge.calibration import BAND_EDGES, BANDS, Calibration
from facegauge.faces import detection, framing, notes, pose, search, turning
from facegauge.faces.detection import MODEL, CenterFace
from facegauge.images.costs import MAX_PIXELS
from facegauge.package_files import package_path
from facegauge.scorer import Scorer
from facegauge.serve import web_runtime
from facegauge.serve.page_file import PageFile
from facegauge.zoo import MODEL as NETWORK

MODULES = (detection, framing, notes, pose, search, turning)


def private_mode(
    scorer: Scorer, runtime: dict[str, Path], max_pixels: int = MAX_PIXELS
) -> tuple[dict[str, Any], list[PageFile]]:
    """What the page's code has to know for it, as JSON types, and the files that it fetches.

    Args:
        scorer: what scores.
        runtime: files of onnxruntime-web, see `web_runtime.find`.
        max_pixels: pictures with more pixels are not opened.
    """
    network, detector = (_fixed(path) for path in (scorer.folder / NETWORK, package_path(MODEL)))
    parts = {
        name: PageFile(f"runtime/{web_runtime.VERSION}/{name}", path, is_fixed=True)
        for name, path in runtime.items()
    }
    wasm = parts[web_runtime.WASM]
    search_for = CenterFace()
    config = {
        "runtime": {
            "module": {"url": parts[web_runtime.MODULE].name},
            "glue": {"url": parts[web_runtime.GLUE].name},
            "wasm": _described(wasm),
        },
        "network": _described(network),
        "detector": _described(detector)
        | {name: getattr(search_for, name) for name in ("size", "threshold", "min_face")},
        "spec": asdict(scorer.spec),
        "calibration": _calibration(scorer.card.calibration),
        "notes": list(notes.NOTES),
        "max_pixels": max_pixels,
        "numbers": {module.__name__.rpartition(".")[2]: _numbers(module) for module in MODULES},
    }
    return config, [network, detector, *parts.values()]


def _fixed(path: Path) -> PageFile:
    """A network under the name of its content."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return PageFile(f"models/{digest}.onnx", path, is_fixed=True)


def _described(file: PageFile) -> dict[str, Any]:
    data = file.read()
    return {
        "url": file.name,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }


def _calibration(calibration: Calibration) -> dict[str, Any]:
    return {
        "quantiles": list(calibration.quantiles),
        "offsets": asdict(calibration.offsets),
        "whole": asdict(calibration.whole) if calibration.whole else None,
        "bands": list(BANDS),
        "edges": list(BAND_EDGES),
    }


def _numbers(module: ModuleType) -> dict[str, Any]:
    """The constants of a module that are numbers, or arrays of them."""
    found = {name: value for name, value in vars(module).items() if name.isupper()}
    return {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in found.items()
        if isinstance(value, int | float | np.ndarray)
    }
