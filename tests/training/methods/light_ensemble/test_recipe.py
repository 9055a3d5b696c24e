"""The light ensemble's recipe, end to end on pictures made in code."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from facegauge.data.manifests import Manifest, load_manifest
from facegauge.errors import UsageError
from facegauge.faces import detection_cache
from facegauge.faces.spec import PreprocessSpec
from facegauge.nn.checkpoints import load_run, save_run
from facegauge.nn.normalise import Normalise
from facegauge.nn.regressor import Regressor
from facegauge.results import Box, Face
from facegauge.training import fit as fitting
from facegauge.training.begin import begin_run
from facegauge.training.config import apply_overrides, load_preset
from facegauge.training.methods.light_ensemble import recipe as ensemble
from facegauge.training.methods.light_ensemble.config import LightEnsembleConfig

TEACHERS = ("teachers.mobilenet_v2", "teachers.efficientnet_lite0")
MEMBERS = ("members.mobilenet_v3_small", "members.shufflenet_v2_x1_0")
SHORT = {"steps": 6, "warmup": 2, "validate_every": 3, "save_every": 2, "log_every": 1}
SMALL = [
    "input.width=48",
    "input.height=64",
    "workers=0",
    "teacher_cache.batches=4",
    'teacher_cache.teachers=["mobilenet_v2", "efficientnet_lite0"]',
    *(
        f"{table}.fit.{key}={value}"
        for table in (*TEACHERS, *MEMBERS)
        for key, value in {
            "steps": 6,
            "warmup": 2,
            "validate_every": 3,
            "save_every": 2,
            "log_every": 1,
        }.items()
    ),
    *(
        f"{table}.plan.{key}={value}"
        for table in (*TEACHERS, "teacher_cache")
        for key, value in {"labelled": 6, "groups": 1}.items()
    ),
    "teacher_cache.plan.distilled=4",
]


@pytest.fixture
def data(tmp_path: Path) -> Manifest:
    """Blurred noise: the sharper, the higher the label."""
    rng = np.random.default_rng(0)
    rows = ["image,score,split"]
    for number in range(24):
        score = (number % 12 + 1) / 13
        size = max(2, round(48 * score))
        grain = rng.integers(0, 256, (round(size * 4 / 3), size, 3), np.uint8)
        picture = Image.fromarray(grain).resize((48, 64), Image.Resampling.BICUBIC)
        picture.save(tmp_path / f"{number}.png")
        rows.append(f"{number}.png,{score:.4f},{'val' if number >= 16 else 'train'}")
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    return load_manifest(tmp_path / "labels.csv")


def settings() -> LightEnsembleConfig:
    return apply_overrides(load_preset("light_ensemble", "cpu"), SMALL)


def losses(folder: Path) -> list[dict[str, float]]:
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [row for row in rows if "lr" in row]


def test_the_run_has_every_part(
    data: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    figures = ensemble.run(settings(), data, [], out)
    assert set(figures) == {"mobilenet_v3_small", "shufflenet_v2_x1_0", "ensemble"}
    for name in ("mobilenet_v2", "efficientnet_lite0"):
        assert load_run(out / "teachers" / name).system == "ensemble teacher"
    run = load_run(out)
    assert run.system == "ensemble"
    assert list(run.members) == ["mobilenet_v3_small", "shufflenet_v2_x1_0"]
    x = torch.randn(3, 3, 64, 48)
    with torch.no_grad():
        parts = torch.stack([load_run(out / name).network(x) for name in run.members])
        assert torch.allclose(run.network(x), parts.mean(0), atol=1e-6)
    assert run.settings["data"] == [{"manifest": f"{tmp_path.name}/labels.csv", "pictures": 16}]
    with pytest.raises(UsageError, match="not empty"):
        ensemble.run(settings(), data, [], out)
    before = {file: file.read_bytes() for file in out.rglob("run.json")}
    monkeypatch.setattr("sys.argv", ["facegauge", "another command"])
    assert ensemble.run(settings(), data, [], out, resume=True) == pytest.approx(figures, abs=1e-3)
    assert len(before) == 5 and {file: file.read_bytes() for file in before} == before


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            "teacher_cache.teachers=[]",
            r"teacher_cache.teachers to name some of mobilenet_v2, .*, got",
        ),
        ('members.shufflenet_v2_x1_0.pairs=[["stage9", "features.6"]]', "a map of shufflenet"),
    ],
)
def test_what_members_cannot_do_is_refused_before_the_teachers(
    data: Manifest, tmp_path: Path, wrong: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        ensemble.run(apply_overrides(settings(), [wrong]), data, [], tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_scores_of_unlabelled_pictures_are_left_aside(
    data: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    face = Face(Box(12, 20, 36, 54), 0.9, ((20, 30),) * 5)
    monkeypatch.setattr(detection_cache, "CenterFace", lambda **_: lambda pixels: [face])
    scored = replace(data.where(split="val"), splits=None)
    out, spec = tmp_path / "run", settings().input.spec
    context = begin_run(settings(), data, [scored], out, spec=spec, allow_leakage=True)
    assert [p.score is None for p in context.maker.pictures] == [False] * 16 + [True] * 8


def test_a_finished_teacher_is_taken_as_it_is(data: Manifest, tmp_path: Path) -> None:
    torch.manual_seed(0)
    teacher = Regressor("mobilenet_v2", "all", 0.5)
    save_run(
        tmp_path / "teacher",
        system="ensemble teacher",
        network=teacher,
        config=teacher.config,
        spec=PreprocessSpec(width=48, height=64),
        settings={},
    )
    taken = [
        'teacher_cache.teachers=["mobilenet_v2"]',
        f"teachers.mobilenet_v2.init_from={tmp_path / 'teacher'}",
        "teachers.mobilenet_v2.fit.steps=0",
    ]
    ensemble.run(apply_overrides(settings(), taken), data, [], tmp_path / "run")
    assert not (tmp_path / "run" / "teachers").exists()
    cache = tmp_path / "run" / "teacher_cache"
    views, scores = np.load(cache / "views.npy")[:3], np.load(cache / "teacher_score.npy")[:3]
    x = Normalise(PreprocessSpec(width=48, height=64))(torch.from_numpy(views))
    with torch.no_grad():
        assert np.allclose(teacher.eval()(x).numpy(), scores, atol=0.02)  # bfloat16


def test_expected_losses(data: Manifest, tmp_path: Path) -> None:
    """Fixed seeds, fixed pictures: a changed objective, view or start shows in the first losses.

    Only first steps are pinned, and the members' with teachers that were not trained: on batches of
    a few pictures the rounding, which differs between processors, soon grows without bound.
    """
    ensemble.run(settings(), data, [], tmp_path / "run")
    teacher = losses(tmp_path / "run" / "teachers" / "mobilenet_v2")
    assert {name: teacher[0][name] for name in ("labels", "order")} == pytest.approx(
        {"labels": 0.9912, "order": 0.7273}, rel=0.02
    )
    assert [row["step"] for row in teacher] == [1, 2, 3, 4, 5, 6]

    untrained = [f"{table}.fit.steps=0" for table in TEACHERS]
    ensemble.run(apply_overrides(settings(), untrained), data, [], tmp_path / "quick")
    student = losses(tmp_path / "quick" / "mobilenet_v3_small")
    assert {name: student[0][name] for name in ("score", "features", "order")} == pytest.approx(
        {"score": 2.530, "features": 0.9892, "order": 0.1041}, rel=0.05
    )
    assert student[-1]["features"] < student[0]["features"]


@pytest.mark.slow
def test_killed_and_resumed_ends_the_same(
    data: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    ensemble.run(settings(), data, [], whole)

    calls = {"left": 15}  # teachers: 12 updates; the kill falls into the first member
    update = fitting.update_ema

    def dying(*args: object) -> None:
        calls["left"] -= 1
        if calls["left"] < 0:
            raise KeyboardInterrupt
        update(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(fitting, "update_ema", dying)
    with pytest.raises(KeyboardInterrupt):
        ensemble.run(settings(), data, [], cut)
    monkeypatch.setattr(fitting, "update_ema", update)
    ensemble.run(settings(), data, [], cut, resume=True)

    expected, got = (load_run(folder).network.state_dict() for folder in (whole, cut))
    for name, value in expected.items():
        assert torch.allclose(value.float(), got[name].float(), atol=1e-5), name
    steps = [row["step"] for row in losses(cut / "mobilenet_v3_small")]
    assert steps == sorted(set(steps))
