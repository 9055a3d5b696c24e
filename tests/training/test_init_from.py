"""Networks to start from: what is there and what is not, before any picture is read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from facegauge.data.manifests import load_manifest
from facegauge.errors import UsageError
from facegauge.nn import pretrained
from facegauge.training import context
from facegauge.training.config import apply_overrides, load_preset, setting, table
from facegauge.training.init_from import (
    Earlier,
    anchored,
    check_sources,
    imagenet_backbones,
    is_pretrained,
)
from facegauge.training.methods.dsl_fiqa import recipe as dsl
from facegauge.training.methods.light_ensemble import recipe as ensemble
from facegauge.training.settings import NetworkConfig


@table
class Root:
    network: NetworkConfig = setting("network")
    others: dict[str, NetworkConfig] = setting("others", default={})
    init_from: Earlier = setting("an earlier one", default="")
    several: tuple[Earlier, ...] = setting("several", default=())


def test_networks_to_start_from_must_be_there(tmp_path: Path) -> None:
    def root(first: str, other: str = "") -> Root:
        one, two = (NetworkConfig(backbone="swin_b", init_from=each) for each in (first, other))
        return Root(network=one, others={"x": two})

    file = tmp_path / "weights.pth"
    for there in ("", "imagenet", "mobile", str(tmp_path)):
        check_sources(root(there))
    with pytest.raises(UsageError, match=r"^others\.x\.init_from: there is no .*weights\.pth"):
        check_sources(root("", str(file)))
    file.touch()
    check_sources(root("", str(file)))
    with pytest.raises(UsageError, match=r"^network\.init_from: there is no 'moblie'; expected"):
        check_sources(root("moblie"))
    for name in ("imagenet", str(file)):  # weights of a backbone are no earlier network
        with pytest.raises(UsageError, match=r"^init_from: there is no .*; expected \"\", a shipp"):
            check_sources(replace(root(""), init_from=name))
    check_sources(replace(root(""), init_from="mobile"))


def test_sources_in_lists_are_checked_and_made_absolute_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    (tmp_path / "mobile").mkdir()
    network = NetworkConfig(backbone="swin_b", init_from="run")
    root = Root(network=network, others={"x": network}, several=("mobile", "run"))
    moved = anchored(root)
    assert moved.network.init_from == moved.others["x"].init_from == str(tmp_path / "run")
    assert moved.several == ("mobile", str(tmp_path / "run")) and moved.init_from == ""
    assert anchored(moved) == moved
    with pytest.raises(UsageError, match=r"^several: there is no 'nothing'; expected"):
        check_sources(replace(root, several=("mobile", "nothing")))


def test_a_network_is_pretrained_if_a_scorer_or_a_run_holds_it(tmp_path: Path) -> None:
    file = tmp_path / "weights.pth"
    file.touch()
    assert is_pretrained("mobile") and is_pretrained(str(tmp_path))
    assert not any(map(is_pretrained, ("", "imagenet", str(file), "nowhere")))


def test_imagenet_weights_are_asked_for_by_backbone() -> None:
    asked = {
        "light_ensemble": ["mobilenet_v3_small", "shufflenet_v2_x1_0"],
        "efficient_fiqa": ["swin_b", "edgenext_xx_small"],
        "mspt": ["mobilenetv3_small_100"],
        "dsl_fiqa": ["vit_base_patch16_384"],
    }
    for method, backbones in asked.items():
        assert imagenet_backbones(load_preset(method, "paper")) == backbones
        assert imagenet_backbones(load_preset(method, "cpu")) == []


def test_weights_that_cannot_be_fetched_end_a_run_before_a_picture_is_read(
    toy_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(backbone: str, trained: bool = False) -> None:
        raise OSError("no network")

    monkeypatch.setattr(pretrained, "classifier", offline)
    monkeypatch.setattr(context, "load_framed", lambda *args, **more: pytest.fail("pictures read"))
    config = load_preset("light_ensemble", "paper")
    with pytest.raises(UsageError, match="cannot fetch the ImageNet weights of mobilenet_v3_small"):
        ensemble.run(config, load_manifest(toy_data), [], tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_lists_that_nothing_reads_are_refused(toy_data: Path, tmp_path: Path) -> None:
    data, config = load_manifest(toy_data), load_preset("light_ensemble", "paper")
    with pytest.raises(UsageError, match="--unlabelled is not used by these settings: no teacher"):
        ensemble.run(config, data, [data], tmp_path / "run")
    frozen = apply_overrides(load_preset("dsl_fiqa", "cpu"), ["encoder.fit.steps=0"])
    with pytest.raises(UsageError, match="not used by these settings: no degradation encoder is"):
        dsl.run(frozen, data, [data], [data], tmp_path / "run")
    assert not (tmp_path / "run").exists()
