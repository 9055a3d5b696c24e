"""The beginning of every run: what is refused, left out, recorded; and networks to start from."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from facegauge.data.manifests import load_manifest
from facegauge.errors import UsageError
from facegauge.nn.checkpoints import load_run
from facegauge.training.begin import begin_run
from facegauge.training.config import apply_overrides, load_config, load_preset
from facegauge.training.context import TrainingContext
from facegauge.training.methods.light_ensemble.config import LightEnsembleConfig
from facegauge.training.settings import NetworkConfig
from facegauge.training.start import load_pretrained

SMALL = ["input.width=32", "input.height=40", "workers=0"]


def config(*changes: str) -> LightEnsembleConfig:
    return apply_overrides(load_preset("light_ensemble", "cpu"), [*SMALL, *changes])


def begin(data: Path, out: Path, *changes: str, **options: bool) -> TrainingContext:
    settings = config(*changes)
    return begin_run(settings, load_manifest(data), [], out, spec=settings.input.spec, **options)


@pytest.fixture
def leaky(toy_data: Path, tmp_path: Path) -> Path:
    """The toy data, where a picture of train is in val too."""
    folder = tmp_path / "leaky"
    shutil.copytree(toy_data.parent, folder)
    shutil.copy(folder / "000000.png", folder / "000001.png")
    return folder / "labels.csv"


@pytest.fixture
def level() -> Iterator[None]:
    logger = logging.getLogger("facegauge")
    before = logger.level
    yield
    logger.setLevel(before)


def test_leaking_splits_are_refused_unless_allowed(
    leaky: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(UsageError, match="leaks between splits: 1;"):
        begin(leaky, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    context = begin(leaky, tmp_path / "run", allow_leakage=True)
    assert len(context.maker.pictures) == 30
    assert context.record["leaks"] == {"same file": 1}
    assert "leaks between splits, allowed: 1 same file; figures on val are too" in caplog.text


@pytest.mark.parametrize("main", [True, False])
@pytest.mark.usefixtures("level")
def test_unlabelled_pictures_of_val_are_left_out_and_named_once(
    toy_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, main: bool
) -> None:
    process = SimpleNamespace(
        is_main_process=main, num_processes=1, process_index=0, wait_for_everyone=lambda: None
    )
    for module in ("devices", "context"):  # the main process, or one of the others of a run
        monkeypatch.setattr(f"facegauge.training.{module}.this_process", lambda: process)
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("facegauge").addHandler(handler)
    more = tmp_path / "more"
    more.mkdir()
    for name in ("000000.png", "000001.png"):  # in train, which is no harm; in val
        shutil.copy(toy_data.parent / name, more / name)
    try:
        context = begin_run(
            config(),
            load_manifest(toy_data),
            [load_manifest(more)],
            tmp_path / "run",
            spec=config().input.spec,
        )
    finally:
        logging.getLogger("facegauge").removeHandler(handler)
    assert context.record["data"][-1] == {"manifest": f"{tmp_path.name}/more", "pictures": 1}
    named = [line for line in lines if "left out: same file" in line]
    assert (len(named) == 1 and str(more / "000001.png") in named[0]) if main else not lines


def test_the_settings_are_kept_and_changes_named(
    toy_data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "run"
    begin(toy_data, out)
    assert load_config(out / "config.toml") == config()
    with pytest.raises(UsageError, match=r"run is not empty; .* --resume"):
        begin(toy_data, out)
    begin(toy_data, out, resume=True)
    assert "setting changed" not in caplog.text
    begin(toy_data, out, "student.corr_weight=2", resume=True)
    assert "setting changed since the run began: student.corr_weight: 1.5 -> 2.0" in caplog.text
    assert load_config(out / "config.toml").student.corr_weight == 2
    assert load_config(out / "config-1.toml") == config()
    assert not (out / "config-2.toml").exists()


def test_paths_of_networks_to_start_from_hold_in_every_folder(
    toy_data: Path, toy_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(toy_run.parent)
    given = [f"student.init_from={toy_run.name}", "teachers.mobilenet_v2.init_from=mobile"]
    context = begin(toy_data, tmp_path / "run", *given)
    context.save("part", "x", load_pretrained(toy_run.name, "mobilenet_v3_small"))
    monkeypatch.chdir(tmp_path)
    kept = load_config(tmp_path / "run" / "config.toml")
    assert kept.student.init_from == str(toy_run)
    assert kept.teachers["mobilenet_v2"].init_from == "mobile"  # no folder, though one may be so
    assert load_run(tmp_path / "run" / "part").settings["student"]["init_from"] == str(toy_run)
    with pytest.raises(UsageError, match="there is no 'toy'"):
        begin(toy_data, tmp_path / "other", *given)


def test_labels_and_both_splits_are_needed(toy_data: Path, tmp_path: Path) -> None:
    data = load_manifest(toy_data)
    for wrong, message in (
        (replace(data, scores=None), "no column score"),
        (data.where(split="train"), "no rows with split 'val'"),
        (data.where(split="val"), "no rows with split 'train'"),
    ):
        with pytest.raises(UsageError, match=message):
            begin_run(config(), wrong, [], tmp_path / "run", spec=config().input.spec)


def test_a_network_starts_from_nothing_a_file_or_a_run(
    toy_data: Path, toy_run: Path, tmp_path: Path
) -> None:
    context = begin(toy_data, tmp_path / "run")

    def built(init_from: str = "", seed: int = 1) -> dict[str, torch.Tensor]:
        network = NetworkConfig(backbone="mobilenet_v3_small", init_from=init_from)
        return context.build_network(network, seed=seed).state_dict()

    first, again, other = built(), built(), built(seed=2)
    assert all(torch.equal(value, again[name]) for name, value in first.items())
    assert not torch.equal(first["head.weight"], other["head.weight"])
    assert first["head.bias"].item() == pytest.approx(context.mean_label)
    trained = load_run(toy_run).network.members["mobilenet_v3_small"].state_dict()
    assert all(torch.equal(value, trained[name]) for name, value in built(str(toy_run)).items())
    file = tmp_path / "body.pth"
    body = {name.removeprefix("body."): value for name, value in other.items() if "body" in name}
    torch.save(body, file)
    started = built(str(file))
    assert torch.equal(started["head.weight"], first["head.weight"])
    assert all(torch.equal(started[f"body.{name}"], value) for name, value in body.items())


def test_a_pretrained_network_is_the_member_with_the_backbone(toy_run: Path) -> None:
    member = load_pretrained(str(toy_run), "mobilenet_v3_small")
    expected = load_run(toy_run).network.members["mobilenet_v3_small"].state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in member.state_dict().items())
    with pytest.raises(UsageError, match=r"holds mobilenet_v3_small and shufflenet.*, not vgg"):
        load_pretrained(str(toy_run), "vgg")


def test_a_shipped_scorer_is_a_pretrained_network() -> None:
    assert load_pretrained("mobile", "mobilenet_v2").backbone == "mobilenet_v2"
