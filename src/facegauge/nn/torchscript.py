"""Reads the tensors of a TorchScript file without running the code that is in it."""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from facegauge.errors import UsageError

DTYPES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


def is_torchscript(file: str | Path) -> bool:
    """Whether `torch.jit.save` wrote a file."""
    if not zipfile.is_zipfile(file):
        return False
    with zipfile.ZipFile(file) as archive:
        return any("/code/" in name for name in archive.namelist())


def torchscript_tensors(file: str | Path) -> dict[str, Tensor]:
    """The parameters, buffers and other tensors of a TorchScript file, by their names.

    The archive's data.pkl is read by an unpickler that knows tensors and plain containers only;
    modules become dictionaries. The archive's code is not read.

    Raises:
        UsageError: the file holds something else, or is damaged.
    """
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        pickles = [n for n in names if n.count("/") == 1 and n.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise UsageError(f"expected one data.pkl in the archive, found {len(pickles)}")
        folder = pickles[0].removesuffix(".pkl")
        read = [e for e in archive.infolist() if e.filename.startswith((f"{folder}/", pickles[0]))]
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in read):
            raise UsageError("the tensors are compressed, as torch.jit.save does not write them")
        with archive.open(pickles[0]) as stream:
            root = _Tensors(stream, archive, folder).load()
    return dict(_named(root, ""))


class _Module(dict[str, Any]):
    """Stands for an object of a TorchScript class."""

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            self.update(state)

    def __hash__(self) -> int:  # type: ignore[override]
        return id(self)


class _Tensors(pickle.Unpickler):
    """Allows tensors, and containers of them; everything else is refused."""

    def __init__(self, stream: Any, archive: zipfile.ZipFile, folder: str) -> None:
        super().__init__(stream)
        self._archive, self._folder = archive, folder

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("__torch__"):
            return _Module
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch" and name in DTYPES:
            return DTYPES[name]
        if module == "torch.jit._pickle" and name.startswith(("build_", "restore_type_tag")):
            return _first
        raise UsageError(f"the file holds {module}.{name}; only tensors are read")

    def persistent_load(self, pid: Any) -> Tensor:
        kind, dtype, key, *_ = pid
        if kind != "storage" or not isinstance(dtype, torch.dtype):
            raise UsageError(f"the file holds {kind!r}; only tensors are read")
        data = bytearray(self._archive.read(f"{self._folder}/{key}"))
        return torch.frombuffer(data, dtype=dtype) if data else torch.empty(0, dtype=dtype)


def _tensor(storage: Tensor, offset: int, size: Any, stride: Any, *_: Any) -> Tensor:
    return torch.as_strided(storage, tuple(size), tuple(stride), offset).clone()


def _first(value: Any, *_: Any) -> Any:
    return value


def _named(value: Any, prefix: str) -> Iterator[tuple[str, Tensor]]:
    """The tensors, by the names of the attributes that lead to them; those of a module first."""
    if not isinstance(value, _Module):
        return
    for name, part in value.items():
        if isinstance(part, Tensor):
            yield f"{prefix}{name}", part
    for name, part in value.items():
        yield from _named(part, f"{prefix}{name}.")
