"""Costs against the published figures and counts by hand."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("fvcore")

from torch import nn  # noqa: E402

from facegauge.faces.spec import PreprocessSpec  # noqa: E402
from facegauge.nn.profile import profile_network, profile_run  # noqa: E402


class Twice(nn.Module):
    """Both views of one network."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        return (self.network(x) + self.network(x.flip(3))) / 2


def test_the_mspt_network_costs_what_was_published():
    timm = pytest.importorskip("timm")
    network = timm.create_model("mobilenetv3_small_100", pretrained=False, num_classes=1)
    cost = profile_network(network, PreprocessSpec(width=224, height=224), runs=1)
    assert cost.parameters == 1_518_881
    assert cost.gflops == pytest.approx(0.0583, rel=0.005)
    assert cost.latency_ms > 0 and cost.fits_challenge
    assert network.training  # as it was


def test_a_convolution_counted_by_hand_and_every_view_counted():
    network = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten(0))
    spec = PreprocessSpec(width=10, height=20)
    one = profile_network(network, spec, runs=0)
    assert one.parameters == 3 * 4 * 9 + 4
    assert one.gflops * 1e9 == pytest.approx(10 * 20 * 3 * 4 * 9, rel=0.05)
    both = profile_network(Twice(network), spec, runs=0)
    assert both.gflops == pytest.approx(2 * one.gflops) and both.parameters == one.parameters


def test_counting_is_silent(capfd, recwarn):
    network = nn.Sequential(nn.Conv2d(3, 1, 1), nn.Hardswish(), nn.AdaptiveAvgPool2d(1))
    profile_network(network, PreprocessSpec(width=8, height=8), runs=0)
    out, err = capfd.readouterr()
    assert (out, err, len(recwarn)) == ("", "", 0)


def test_a_run_folder(toy_run):
    cost = profile_run(toy_run)
    assert (cost.width, cost.height) == (64, 80)
    assert cost.parameters > 927_585 + 342_817 - 1  # both parts; pooling every depth adds weights
