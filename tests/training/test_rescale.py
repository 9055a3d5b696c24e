"""Scores put on the labels' scale: against numpy's own line, and through an export."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from facegauge.errors import UsageError
from facegauge.preprocess import PreprocessSpec
from facegauge.training.export import export_run
from facegauge.training.job import predict
from facegauge.training.manifests import Manifest, load_manifest
from facegauge.training.networks.regressor import Regressor
from facegauge.training.objectives import Normalise
from facegauge.training.pictures import load_framed, sampled
from facegauge.training.rescale import onto_labels
from facegauge.training.runs import load_run, save_run
from facegauge.zoo.models import Model

SPEC = PreprocessSpec(width=64, height=80)


@pytest.mark.parametrize("head", ["linear", "factorised"])
def test_a_network_gives_the_line_from_now_on(head: str) -> None:
    torch.manual_seed(0)
    network = Regressor("mobilenet_v3_small", head=head).eval()
    x = torch.randn(3, 3, 80, 64)
    with torch.no_grad():
        before, heat = network(x), network.explain(x)
        network.rescale(0.4, -0.1)
        assert torch.allclose(network(x), 0.4 * before - 0.1, atol=1e-6)
        assert torch.allclose(network.explain(x), 0.4 * heat - 0.1, atol=1e-5)


def raw(network: Regressor, manifest: Manifest) -> np.ndarray:
    views = sampled(load_framed(manifest, SPEC, "whole"), SPEC)
    return predict(network, views, Normalise(SPEC), 64).astype(np.float64)


def stretched(toy_data: Path) -> tuple[Regressor, np.ndarray]:
    """A network whose scores on val go beyond 0 and 1 and rise with the labels, and these."""
    torch.manual_seed(0)
    network = Regressor("mobilenet_v3_small", "all").eval()
    val = load_manifest(toy_data).where(split="val")
    scores = raw(network, val)
    slope = np.sign(np.corrcoef(scores, val.labels())[0, 1]) * 2 / np.ptp(scores)
    network.rescale(slope, 0.5 - slope * scores.mean())
    return network, raw(network, val)


def test_the_line_is_the_least_squares_one(toy_data: Path) -> None:
    network, scores = stretched(toy_data)
    val = load_manifest(toy_data).where(split="val")
    found = onto_labels(network, SPEC, val)
    assert found == pytest.approx(tuple(np.polyfit(scores, val.labels(), 1)), rel=1e-3)
    assert raw(network, val) == pytest.approx(found[0] * scores + found[1], abs=1e-4)


def test_an_export_is_rescaled_model_and_weights_alike(toy_data: Path, tmp_path: Path) -> None:
    network, _ = stretched(toy_data)
    save_run(
        tmp_path / "run",
        system="toy",
        network=network,
        config=network.config,
        spec=SPEC,
        settings={},
    )
    data = load_manifest(toy_data)
    export_run(load_run(tmp_path / "run"), tmp_path / "s", name="s", data=data, rescale=True)
    val, x = data.where(split="val"), torch.randn(2, 3, 80, 64)
    exported = load_run(tmp_path / "s")
    again, line = exported.network, exported.settings["rescaled"]
    assert raw(again, val).mean() == pytest.approx(val.labels().mean(), abs=1e-3)
    with torch.no_grad():
        assert Model(tmp_path / "s")(x.numpy()) == pytest.approx(again(x).numpy(), abs=1e-5)
        expected = line["slope"] * network(x) + line["offset"]
        assert torch.allclose(again(x), expected, atol=1e-4) and line["slope"] < 0.9


def test_what_cannot_be_rescaled_is_refused(toy_data: Path) -> None:
    val = load_manifest(toy_data).where(split="val")
    with pytest.raises(UsageError, match="linear head"):
        onto_labels(torch.nn.Flatten(), SPEC, val)
    network, _ = stretched(toy_data)
    network.rescale(-1.0, 1.0)
    with pytest.raises(UsageError, match="do not rise"):
        onto_labels(network, SPEC, val)
