"""Efficient-FIQA's recipe, end to end on pictures made in code."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from facegauge.data.manifests import Manifest, load_manifest
from facegauge.errors import UsageError
from facegauge.labelling.label_table import load_labels
from facegauge.nn.checkpoints import load_run
from facegauge.training import context as jobs
from facegauge.training import fit as fitting
from facegauge.training.config import apply_overrides, load_preset
from facegauge.training.methods.efficient_fiqa import recipe as efficient
from facegauge.training.methods.efficient_fiqa.config import EfficientFiqaConfig
from toys import first_losses, grain

FITS = ("teachers.first", "teachers.second", "teacher_plus", "student")
SHORT = {"steps": 4, "warmup": 2, "validate_every": 2, "save_every": 1, "log_every": 1}
SMALL = [
    "input.width=48",
    "input.height=64",
    "teacher.input.width=48",
    "teacher.input.height=64",
    "workers=0",
    "label.views=2",
    "label.sample_weight=true",
    "teacher_cache.batches=3",
    *(f"{table}.fit.{key}={value}" for table in FITS for key, value in SHORT.items()),
    *(f"{table}.plan.labelled=6" for table in ("teacher", "teacher_plus", "teacher_cache")),
    *(f"{table}.plan.groups=1" for table in ("teacher", "teacher_plus", "teacher_cache")),
    "teacher_cache.plan.distilled=2",
    "student.plan.labelled=6",
]


@pytest.fixture
def data(tmp_path: Path) -> Manifest:
    rng = np.random.default_rng(0)
    rows = ["image,score,split"]
    for number in range(24):
        score = (number % 12 + 1) / 13
        grain(tmp_path / f"{number}.png", rng, score)
        rows.append(f"{number}.png,{score:.4f},{'val' if number >= 16 else 'train'}")
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    return load_manifest(tmp_path / "labels.csv")


@pytest.fixture
def sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Manifest, Manifest]:
    """Sets A and B. Noise has no face, so the detector is told that every picture is framed."""
    monkeypatch.setattr(efficient, "FACES", "whole")
    made = []
    for number, name in enumerate("ab"):
        folder, rng = tmp_path / name, np.random.default_rng(number + 1)
        folder.mkdir()
        for picture in range(7):
            grain(folder / f"{picture}.png", rng, rng.uniform(0.1, 0.9))
        made.append(load_manifest(folder))
    return made[0], made[1]


def settings() -> EfficientFiqaConfig:
    return apply_overrides(load_preset("efficient_fiqa", "cpu"), SMALL)


def test_every_step_leaves_its_part(
    data: Manifest, sets: tuple[Manifest, Manifest], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    committee = apply_overrides(settings(), ['teacher.members=["first", "second"]'])
    figures = efficient.run(committee, data, *sets, out)
    assert list(figures) == ["teacher", "teacher_plus", "student"]
    assert load_run(out / "teacher").system == "efficient teacher"
    assert load_run(out / "teacher_plus").system == "efficient teacher plus"
    run = load_run(out)
    assert run.system == "efficient" and run.config["backbone"] == "edgenext_xx_small"
    assert sum(p.numel() for p in run.network.parameters()) == 1_179_641

    learned = {row["manifest"]: row["pictures"] for row in run.settings["data"]}
    assert sum(learned.values()) == len(data.where(split="train")) + sum(map(len, sets))

    labels_a, weights = load_labels(out / "labels_a.csv")
    assert len(labels_a) == len(weights) == 7 and (weights <= 1).all()
    with torch.no_grad():
        said = {
            name: load_run(out / name).network(torch.zeros(1, 3, 64, 48)).item()
            for name in ("teacher", "teacher_plus")
        }
    assert said["teacher"] != said["teacher_plus"]
    for name, score in said.items():
        members = load_run(out / name).members
        scores = [member(torch.zeros(1, 3, 64, 48)).item() for member in members.values()]
        assert list(members) == ["first", "second"] and len(set(scores)) == 2
        assert score == pytest.approx(np.mean(scores), abs=1e-6)
    cached = np.load(out / "teacher_cache" / "score.npy")
    known = {*data.where(split="train").labels(), *labels_a.labels()}
    known |= set(load_labels(out / "labels_b.csv")[0].labels())
    assert {round(float(s), 4) for s in cached[np.isfinite(cached)]} <= {round(s, 4) for s in known}

    assert first_losses(out / "teacher" / "first") == pytest.approx(
        {"labels": 1.8449, "order": 0.7273}, rel=0.02
    )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            "student.fit.optimiser=sgd",
            "student.fit.optimiser: expected adamw, adam or muon, got 'sgd'",
        ),
        ("student.fit.log_every=0", "student.fit.log_every: expected .* 1 or more, got 0"),
        ("student.loss=mse", "student.loss: expected mse_corr, .*, got 'mse'"),
        ("student.learns=c", "student.learns: expected labels, a or b, got 'c'"),
        ('teacher.members=["thrid"]', r"teacher.members to name some of first, second, got"),
        (
            "student.backbone=mobilenet_v3_small",
            r"mobilenet_v3_small \(features.1, .* got",
        ),
        (
            'student.pairs=[["stages.1"]]',
            r"student.pairs: expected a list of lists of 2 texts, got \[\['stages.1'\]\]",
        ),
        ("teacher_cache.batches=0", "teacher_cache.batches: expected .* 1 or more, got 0"),
    ],
)
def test_what_the_last_step_cannot_do_is_refused_before_the_first(
    data: Manifest, sets: tuple[Manifest, Manifest], tmp_path: Path, wrong: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        efficient.run(apply_overrides(settings(), [wrong]), data, *sets, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_retrained_teacher_is_built_like_the_first(
    data: Manifest, sets: tuple[Manifest, Manifest], tmp_path: Path
) -> None:
    """Also where that goes on from a network with another head, on labels with another mean."""
    other = ["teachers.first.backbone=edgenext_xx_small", "teachers.first.init_from=efficient"]
    numbers = apply_overrides(settings(), [*other, "student.learns=labels"])  # pairs fit no more
    efficient.run(numbers, data, *sets, tmp_path / "run")
    first, plus = (
        load_run(tmp_path / "run" / name).config["members"]["first"]
        for name in ("teacher", "teacher_plus")
    )
    assert first == plus and first["head"] == "factorised"


def test_labels_alone_without_a_pool(
    data: Manifest, sets: tuple[Manifest, Manifest], tmp_path: Path
) -> None:
    """The paper's way: the student learns scores only, and the teacher has an input of its own."""
    larger = ["teacher.input.width=64", "teacher.input.height=80", "student.plan.groups=0"]
    config = replace(apply_overrides(settings(), larger), teacher_cache=None)
    efficient.run(config, data, *sets, tmp_path / "run")
    assert load_run(tmp_path / "run" / "teacher").spec.width == 64
    assert load_run(tmp_path / "run").spec.width == 48
    assert set(first_losses(tmp_path / "run")) == {"labels"}


@pytest.mark.slow
def test_the_student_can_stop_at_the_labels_or_at_a(
    data: Manifest, sets: tuple[Manifest, Manifest], tmp_path: Path
) -> None:
    """Teachers that are there already are taken as they are."""
    efficient.run(settings(), data, *sets, tmp_path / "run")
    taken = [
        f"teachers.first.init_from={tmp_path / 'run' / 'teacher'}",
        f"teacher_plus.init_from={tmp_path / 'run' / 'teacher_plus'}",
        "teachers.first.fit.steps=0",
        "teacher_plus.fit.steps=0",
    ]
    for learns, parts in (("labels", {"labels", "order"}), ("a", {"score", "features", "order"})):
        out = tmp_path / f"learns_{learns}"
        numbers = apply_overrides(settings(), [*taken, f"student.learns={learns}"])
        efficient.run(numbers, data, *sets, out)
        assert not (out / "teacher" / "first").exists()
        assert set(first_losses(out)) == parts
        labels, again = (
            load_labels(folder / "labels_a.csv")[0].labels() for folder in (tmp_path / "run", out)
        )
        assert np.allclose(labels, again, atol=0.01)
    known = {round(score, 4) for score in data.where(split="train").labels()}
    known |= {round(score, 4) for score in load_labels(out / "labels_a.csv")[0].labels()}
    cached = np.load(out / "teacher_cache" / "score.npy")
    assert {round(float(score), 4) for score in cached[np.isfinite(cached)]} <= known


@pytest.mark.slow
def test_killed_and_resumed_ends_the_same(
    data: Manifest,
    sets: tuple[Manifest, Manifest],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    efficient.run(settings(), data, *sets, whole)
    update, label_into = fitting.update_ema, jobs.label_into
    calls = {"left": 6}  # the teacher takes 4: the kill falls into T+

    def dying(*args: object) -> None:
        calls["left"] -= 1
        if calls["left"] < 0:
            raise KeyboardInterrupt
        update(*args)  # type: ignore[arg-type]

    def dying_label(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(fitting, "update_ema", dying)
    with pytest.raises(KeyboardInterrupt):
        efficient.run(settings(), data, *sets, cut)
    monkeypatch.setattr(fitting, "update_ema", update)
    monkeypatch.setattr(jobs, "label_into", dying_label)
    with pytest.raises(KeyboardInterrupt):
        efficient.run(settings(), data, *sets, cut, resume=True)
    monkeypatch.setattr(jobs, "label_into", label_into)
    efficient.run(settings(), data, *sets, cut, resume=True)

    expected, got = (load_run(folder).network.state_dict() for folder in (whole, cut))
    for name, value in expected.items():
        assert torch.allclose(value.float(), got[name].float(), atol=1e-4), name


def test_the_paper_preset_has_the_papers_numbers() -> None:
    paper = load_preset("efficient_fiqa", "paper")
    assert paper.teacher.members == ("swin_b",) and paper.teacher_cache is None
    teacher = paper.teachers["swin_b"]
    for part in (teacher, paper.teacher_plus, paper.student):
        assert (part.fit.lr, part.fit.weight_decay) == (1e-4, 1e-6)
        assert (part.fit.epochs, part.fit.schedule, part.fit.warmup) == (30, "step", 0)
    for part in (paper.teacher, paper.teacher_plus, paper.student):
        assert part.plan.labelled == 32


PROCESS = """
import logging
import sys
from pathlib import Path
from facegauge.data.manifests import load_manifest
from facegauge.training.methods.efficient_fiqa import recipe as efficient
from facegauge.training.methods.efficient_fiqa.config import EfficientFiqaConfig
from facegauge.training.config import apply_overrides, load_preset

efficient.FACES = "whole"
folder, last = Path(sys.argv[1]), sys.argv[2]
config = apply_overrides(load_preset("efficient_fiqa", "cpu"), sys.argv[3:])
manifests = [load_manifest(folder / name) for name in ("labels.csv", "a", "b")]


class Lines(logging.Handler):
    def emit(self, record):
        print(record.getMessage(), flush=True)
        if record.getMessage().startswith(last):
            raise KeyboardInterrupt


logging.getLogger("facegauge").setLevel(logging.INFO)
logging.getLogger("facegauge").addHandler(Lines())
efficient.run(config, *manifests, folder / "run", resume=(folder / "run").exists())
"""


def two_processes(folder: Path, last: str) -> tuple[list[int], list[str]]:
    """Exit codes and standard output of both; the main one dies once it has said `last`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    shared |= {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(folder), last, *SMALL],
            env={**os.environ, **shared, "RANK": rank, "LOCAL_RANK": rank},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for rank in "01"
    ]
    said = [process.communicate()[0] for process in processes]
    return [process.returncode for process in processes], said


@pytest.mark.slow
def test_two_processes_share_a_run(
    data: Manifest, sets: tuple[Manifest, Manifest], tmp_path: Path
) -> None:
    """The main one labels and speaks, both train, on half of the pool each, and go on if killed."""
    codes, (said, _) = two_processes(tmp_path, last="run: step 2/4")
    assert all(codes) and "run: step 2/4" in said
    codes, (said, silence) = two_processes(tmp_path, last="never said")
    assert codes == [0, 0], said
    assert "run: resumed at step 1" in said
    assert "student: (SRCC + PLCC) / 2 on val" in said and silence == ""
    assert len(load_labels(tmp_path / "run" / "labels_b.csv")[0].labels()) == 7
    assert load_run(tmp_path / "run").system == "efficient"
