"""`facegauge doctor`: checks that everything needed for scoring is installed and runs."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from importlib.util import find_spec

import typer

from facegauge.cli.terminal import print_table
from facegauge.errors import extra_to_install
from facegauge.onnx_runtime import CUDA, import_onnxruntime

BROKEN = 1
ONNXRUNTIMES = (
    *("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-openvino"),
    *("onnxruntime-rocm", "onnxruntime-qnn", "onnxruntime-training"),
)
"""Packages of the same module, of which pip lets several be installed."""

EXTRAS = {
    "train": (
        *("torch", "torchvision", "timm", "accelerate", "fvcore", "safetensors", "onnx"),
        *("pydantic", "tomli_w"),
    ),
    "metric": ("torch", "torchvision", "timm", "safetensors", "torchmetrics", "onnx"),
    "report": ("jinja2", "matplotlib", "scipy"),
    "parquet": ("pyarrow",),
    "heic": ("pillow_heif",),
    "cluster": ("ray", "pyarrow", "fsspec"),
    "serve": ("fastapi", "uvicorn", "python_multipart", "prometheus_client"),
}


def doctor() -> None:
    """Check the installation.

    Exit codes: 0 everything needed for scoring works; 1 something is broken.
    """
    rows = [*_required(), *_beside_onnxruntime(), *_optional()]
    print_table(("", "what", "result"), rows)
    if any(mark == "BROKEN" for mark, _, _ in rows):
        raise typer.Exit(BROKEN)


def _required() -> Iterator[tuple[str, str, str]]:
    from facegauge import zoo

    yield "ok", "python", platform.python_version()
    yield _check("facegauge", _facegauge)
    yield _check("onnxruntime", _onnxruntime)
    yield _check("face detector", _detector)
    for name in zoo.names():
        yield _check(f"scorer {name}", partial(_scorer, name))
    if zoo.DEFAULT not in zoo.names():
        yield (
            "BROKEN",
            f"scorer {zoo.DEFAULT}",
            "the default scorer is missing; reinstall facegauge",
        )


def _check(what: str, probe: Callable[[], str]) -> tuple[str, str, str]:
    try:
        return "ok", what, probe()
    except Exception as error:  # of any kind: reporting it is the purpose of this verb
        return "BROKEN", what, f"{type(error).__name__}: {error}"


def _facegauge() -> str:
    from facegauge import __version__

    return __version__


def _onnxruntime() -> str:
    onnxruntime = import_onnxruntime()
    cuda = " with CUDA, for --device cuda" if CUDA in onnxruntime.get_available_providers() else ""
    return f"{onnxruntime.__version__}{cuda}"


def _detector() -> str:
    import numpy as np

    from facegauge.faces.detection import CenterFace

    faces = CenterFace()(np.zeros((64, 64, 3), np.uint8))
    return f"CenterFace runs and detects {len(faces)} faces in a black picture"


def _scorer(name: str) -> str:
    import numpy as np

    from facegauge.scorer import Scorer

    scorer = Scorer(name, faces="whole", threads=1)  # compares the sha256
    black = np.zeros((scorer.spec.height, scorer.spec.width, 3), np.uint8)
    return f"verified, runs; a black picture has the score {scorer.score(black).score:.3f}"


def _beside_onnxruntime() -> Iterator[tuple[str, str, str]]:
    """A warning if several packages have written their files to the module onnxruntime."""
    from importlib.metadata import PackageNotFoundError, version

    installed = []
    for name in ONNXRUNTIMES:
        with suppress(PackageNotFoundError):
            installed.append(f"{name} {version(name)}")
    if len(installed) > 1:
        yield (
            "WARNING",
            "onnxruntime",
            f"{' and '.join(installed)} are installed over each other; uninstall them and install "
            "one again: onnxruntime-gpu for --device cuda, else onnxruntime",
        )


def _optional() -> Iterator[tuple[str, str, str]]:
    for extra, modules in EXTRAS.items():
        missing = [module for module in modules if find_spec(module) is None]
        if missing:
            command = extra_to_install(extra).partition(": ")[2]
            yield "-", f"extra [{extra}]", f"{command} (missing: {', '.join(missing)})"
        else:
            yield "ok", f"extra [{extra}]", "installed"
