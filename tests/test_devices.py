"""Where networks compute: refused where that cannot be, and on a stand-in for a GPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnxruntime
import pytest
from PIL import Image

from commands import run
from facegauge import Scorer
from facegauge.errors import UsageError
from facegauge.faces import detection
from facegauge.onnx_runtime import CUDA
from facegauge.tables.notes import read_notes

CPU = "CPUExecutionProvider"


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    Image.new("RGB", (48, 64), "grey").save(tmp_path / "picture.png")
    return tmp_path / "picture.png"


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """Ten labelled pictures, grey ones of different lightness."""
    rows = ["image,score"]
    for n in range(10):
        Image.new("RGB", (48, 64), (20 * n, 128, 90)).save(tmp_path / f"{n}.png")
        rows.append(f"{n}.png,{n / 10}")
    (tmp_path / "data.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "data.csv"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The providers that sessions are asked for; they compute on the CPU and deny it."""
    asked: list[Any] = []
    real = onnxruntime.InferenceSession

    class OnGpu:
        def __init__(self, model: Any, options: Any, providers: list[Any]) -> None:
            asked.append(providers)
            self._real = real(model, options, providers=[CPU])

        def get_providers(self) -> list[str]:
            return [CUDA, CPU]

        def __getattr__(self, name: str) -> Any:
            return getattr(self._real, name)

    monkeypatch.setattr(onnxruntime, "InferenceSession", OnGpu)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None, raising=False)
    detection._open_session.cache_clear()
    return asked


def test_a_device_that_cannot_be_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch, toy_scorer: Path, picture: Path
) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CPU])
    words = ["score", picture, "--scorer", toy_scorer, "--device"]
    result = run(*words, "cuda")
    assert result.exit_code == 2 and len(result.stderr.splitlines()) == 1
    assert "device cuda needs onnxruntime-gpu in the place of onnxruntime" in result.stderr
    assert "expected device to be cpu or cuda, got 'tpu'" in run(*words, "tpu").stderr


def test_a_gpu_that_is_not_there_is_refused(
    monkeypatch: pytest.MonkeyPatch, toy_scorer: Path
) -> None:
    """onnxruntime-gpu falls back to the CPU by itself, and only logs it."""
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    real = onnxruntime.InferenceSession
    monkeypatch.setattr(
        onnxruntime,
        "InferenceSession",
        lambda model, options, providers: real(model, options, providers=[CPU]),
    )
    with pytest.raises(UsageError, match="finds no GPU"):
        Scorer(toy_scorer, device="cuda")


@pytest.mark.parametrize("verb", ["evaluate", "label", "serve"])
def test_other_verbs_refuse_a_device_alike(
    monkeypatch: pytest.MonkeyPatch, toy_scorer: Path, labelled: Path, verb: str
) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CPU])
    words: dict[str, list[object]] = {
        "evaluate": ["evaluate", toy_scorer, "--data", labelled],
        "label": ["label", toy_scorer, "--data", labelled, "-o", labelled.parent / "out.csv"],
        "serve": ["serve", "--scorer", toy_scorer, "--port", "0"],
    }
    result = run(*words[verb], "--device", "cuda")
    assert result.exit_code == 2 and len(result.stderr.splitlines()) == 1
    assert "device cuda needs onnxruntime-gpu" in result.stderr
    assert not (labelled.parent / "out.csv").exists()


def test_labels_and_predictions_compute_on_the_device(
    asked: list[Any], toy_scorer: Path, labelled: Path
) -> None:
    out = labelled.parent / "out.csv"
    words = ["label", toy_scorer, "--data", labelled, "-o", out]
    assert run(*words, "--device", "cuda").exit_code == 3  # the pictures show no face
    in_float32 = [(CUDA, {"use_tf32": 0}), CPU]
    assert asked.count(in_float32) >= 2  # the network and the detector
    assert read_notes(out).settings["device"] == "cuda"
    resumed = run(*words, "--resume")
    assert resumed.exit_code == 2 and "device" in resumed.stderr
    asked.clear()
    words = ["evaluate", toy_scorer, "--data", labelled, "--faces", "whole"]
    assert run(*words, "--device", "cuda").exit_code == 0
    assert asked.count(in_float32) >= 1


def test_network_and_detector_compute_on_the_device(
    asked: list[Any], toy_scorer: Path, picture: Path
) -> None:
    on_gpu = Scorer(toy_scorer, faces="largest", device="cuda")
    on_gpu.score(picture)  # searches
    assert on_gpu.with_options(faces="whole").score(picture).score == pytest.approx(
        Scorer(toy_scorer, faces="whole").score(picture).score
    )
    in_float32 = [(CUDA, {"use_tf32": 0}), CPU]
    assert asked.count(in_float32) >= 2  # the scorer's network and the detector's
    assert {str(providers) for providers in asked} == {str(in_float32), str([CPU])}
    assert on_gpu.settings["device"] == "cuda"
    assert "device" not in Scorer(toy_scorer).settings  # tables of earlier versions go on
    detection._open_session.cache_clear()
