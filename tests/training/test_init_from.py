"""Networks to start from: what is there and what is not, before any picture is read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from facegauge.errors import UsageError
from facegauge.training.config import setting, table
from facegauge.training.init_from import Earlier, check_sources, is_pretrained
from facegauge.training.settings import NetworkConfig


@table
class Root:
    network: NetworkConfig = setting("network")
    others: dict[str, NetworkConfig] = setting("others", default={})
    init_from: Earlier = setting("an earlier one", default="")


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


def test_a_network_is_pretrained_if_a_scorer_or_a_run_holds_it(tmp_path: Path) -> None:
    file = tmp_path / "weights.pth"
    file.touch()
    assert is_pretrained("mobile") and is_pretrained(str(tmp_path))
    assert not any(map(is_pretrained, ("", "imagenet", str(file), "nowhere")))
