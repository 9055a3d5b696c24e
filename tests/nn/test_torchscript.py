"""TorchScript files: their tensors are read, their code is not run."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from pathlib import Path

import pytest
import torch

from facegauge.errors import UsageError
from facegauge.nn.pretrained import backbone_weights
from facegauge.nn.torchscript import is_torchscript, torchscript_tensors


class Network(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
        self.head = torch.nn.Linear(4, 2, bias=False)
        self.register_buffer("table", torch.arange(12).reshape(3, 4).t())
        self.sizes = [1, 2]
        self.small = torch.nn.Parameter(torch.rand(5).half())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x).mean((2, 3)))


class Hostile(torch.nn.Module):
    def __init__(self, file: str) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(2))
        self.file = file

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x

    @torch.jit.export
    def __getstate__(self) -> tuple[torch.Tensor, str, bool]:
        return self.weight, self.file, self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[torch.Tensor, str, bool]) -> None:
        made = torch.from_file(state[1], True, 64, dtype=torch.float32)  # makes a file
        self.weight = state[0] + made[0]
        self.file = state[1]
        self.training = state[2]


def save(network: torch.nn.Module, file: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(network).save(str(file))
    return file


def test_the_tensors_are_those_that_torch_loads(tmp_path: Path) -> None:
    network = Network()
    file = save(network, tmp_path / "network.pt")
    assert is_torchscript(file)
    tensors = torchscript_tensors(file)
    expected = network.state_dict()
    assert set(tensors) == set(expected)
    for name, tensor in expected.items():
        assert tensors[name].dtype == tensor.dtype
        assert torch.equal(tensors[name], tensor), name
    assert backbone_weights("mobilenet_v2", file).keys() == expected.keys()


def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    target = tmp_path / "written"
    file = save(Hostile(str(target)), tmp_path / "hostile.pt")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.load(str(file))
    assert target.exists()  # the attack works on torch.jit.load
    target.unlink()
    try:
        torchscript_tensors(file)
    except UsageError as error:
        assert "\n" not in str(error)
    assert not target.exists()


class Call:
    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> object:
        return (Path.touch, (self.file,))


def archive(file: Path, pickled: bytes, method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(file, "w", method) as written:
        written.writestr("x/data.pkl", pickled)
        written.writestr("x/code/__torch__.py", "")
    return file


def test_pickled_calls_are_refused(tmp_path: Path) -> None:
    target = tmp_path / "written"
    file = archive(tmp_path / "call.pt", pickle.dumps({"a": Call(target)}))
    with pytest.raises(UsageError, match="only tensors are read"):
        backbone_weights("mobilenet_v2", file)
    assert not target.exists()
    squeezed = archive(tmp_path / "zip.pt", pickle.dumps([0] * 10**5), zipfile.ZIP_DEFLATED)
    with pytest.raises(UsageError, match="compressed"):
        backbone_weights("mobilenet_v2", squeezed)


def test_views_beyond_their_storage_are_refused(tmp_path: Path) -> None:
    file = save(Network(), tmp_path / "network.pt")
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(tmp_path / "short.pt", "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, data[: len(data) // 2] if "/data/" in name else data)
    with pytest.raises(UsageError, match="cannot load backbone weights"):
        backbone_weights("mobilenet_v2", tmp_path / "short.pt")
