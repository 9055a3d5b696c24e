"""What a run will cost, by a rehearsal; the lock of a run folder; Ctrl-C; a full disk."""

from __future__ import annotations

import errno
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

torch = pytest.importorskip("torch")

from facegauge.arrays import Pixels  # noqa: E402
from facegauge.cli import app  # noqa: E402
from facegauge.cli.carry_out import keep_faces  # noqa: E402
from facegauge.cli.terminal import resuming  # noqa: E402
from facegauge.data.manifests import load_manifest  # noqa: E402
from facegauge.errors import UsageError  # noqa: E402
from facegauge.faces.detection_cache import CachedDetector  # noqa: E402
from facegauge.results import Box, Face  # noqa: E402
from facegauge.training import fit_state  # noqa: E402
from facegauge.training.config import apply_overrides, load_preset  # noqa: E402
from facegauge.training.methods.light_ensemble import recipe  # noqa: E402
from facegauge.training.rehearsal import rehearsing  # noqa: E402
from toys import killed_at  # noqa: E402

PLAN = {"labelled": 4, "distilled": 2, "groups": 1, "copies": 2}
TEACHER = "teachers.mobilenet_v2"
SMALL = [
    *("workers=0", "input.width=32", "input.height=40", "teacher_cache.batches=8"),
    *(f"teacher_cache.plan.{key}={value}" for key, value in PLAN.items()),
    *(f"{TEACHER}.plan.{key}={value}" for key, value in PLAN.items()),
    f"{TEACHER}.fit.steps=10",
    *(f"{TEACHER}.fit.warmup=0", f"{TEACHER}.fit.validate_every=5"),
    "teachers.efficientnet_lite0.fit.steps=0",
]
SHORT = [
    word
    for member in ("mobilenet_v3_small", "shufflenet_v2_x1_0")
    for key in ("steps=60", "warmup=0")
    for word in ("--set", f"members.{member}.fit.{key}")
]
WORDS = [word for pair in SMALL for word in ("--set", pair)]


def typed(toy_data: Path, out: Path, *more: str) -> tuple[int, str, str]:
    words = ["train", "ensemble", "--data", str(toy_data), "-o", str(out), *WORDS, *more]
    result = CliRunner().invoke(app, words)
    return result.exit_code, result.stdout, result.stderr


def test_a_dry_run_says_what_every_part_costs_and_writes_nothing(
    toy_data: Path, tmp_path: Path
) -> None:
    code, out, err = typed(toy_data, tmp_path / "run", "--dry-run")
    assert code == 0, err
    for part in ("training teachers/mobilenet_v2", "10 steps", "filling the teacher cache",
                 "8 batches", "training mobilenet_v3_small", "6000 steps",
                 "training shufflenet_v2_x1_0"):  # fmt: skip
        assert part in out
    assert "pictures: 30, which take 0.00 GB of disk" in out
    assert re.search(r"disk: about 0\.\d\d GB", out)
    assert re.search(r"time: about .+ in all; measuring this took", out)
    assert not (tmp_path / "run").exists()
    assert "on val" not in err  # of networks that have learned nothing


def test_a_long_run_says_what_it_costs_before_it_begins(toy_data: Path, tmp_path: Path) -> None:
    with killed_at("step 5/10"):
        code, out, err = typed(toy_data, tmp_path / "run")
    assert code == 130
    assert "6000 steps" in out and re.search(r"time: about .+ in all; measuring this took", out)
    assert err.count("pictures to train on") == 1  # the rehearsal's own lines are left out
    assert sorted(file.name for file in tmp_path.iterdir()) == ["run"]


def test_a_short_run_and_one_that_is_resumed_begin_at_once(toy_data: Path, tmp_path: Path) -> None:
    with killed_at("step 5/10"):
        code, out, _ = typed(toy_data, tmp_path / "short", *SHORT)
    assert code == 130 and "time: about" not in out
    with killed_at("step 5/10"):
        typed(toy_data, tmp_path / "long")
    with killed_at("step 10/10"):
        code, out, _ = typed(toy_data, tmp_path / "long", "--resume")
    assert code == 130 and "time: about" not in out


def test_a_folder_in_use_is_refused_before_anything_is_timed(
    toy_data: Path, tmp_path: Path
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").touch()
    code, out, err = typed(toy_data, tmp_path / "run")
    assert code == 2 and "not empty" in err and not out


def test_faces_that_the_rehearsal_found_are_not_searched_again(tmp_path: Path) -> None:
    rehearsal = tmp_path / "rehearsal"
    rehearsal.mkdir()
    keep_faces(rehearsal, tmp_path / "run")  # nothing was searched
    pixels = np.zeros((40, 40, 3), np.uint8)
    searched: list[int] = []

    def detect(pixels: Pixels) -> list[Face]:
        searched.append(1)
        return [Face(Box(1, 2, 3, 4), 0.5, ())]

    detect.__qualname__ = "detect"
    found = CachedDetector(rehearsal, detect)(pixels)
    keep_faces(rehearsal, tmp_path / "run")
    assert CachedDetector(tmp_path / "run", detect)(pixels) == found
    assert len(searched) == 1


def test_a_rehearsal_leaves_the_networks_as_they_start(toy_data: Path, tmp_path: Path) -> None:
    pairs = [*SMALL, f"{TEACHER}.fit.steps=0"]
    config = apply_overrides(load_preset("light_ensemble", "cpu"), pairs)
    with rehearsing() as rehearsal:
        recipe.run(config, load_manifest(toy_data), [], tmp_path / "run")
    cache, *members = rehearsal.parts
    assert cache.name == "filling the teacher cache" and len(members) == 2
    assert all(part.seconds > 0 for part in rehearsal.parts)
    # six copies of the members' weights, and four times the views of a cache of two batches
    assert rehearsal.disk > 6 * 4 * (0.9e6 + 1.2e6)
    assert not (tmp_path / "run" / "mobilenet_v3_small").exists()


def test_ctrl_c_prints_the_command_that_goes_on(
    toy_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["facegauge", "train", "ensemble", "-o", "my run"])
    with killed_at("step 5/10"):
        code, _, err = typed(toy_data, tmp_path / "run", *SHORT)
    assert code == 130
    assert err.endswith("stopped: continue with: facegauge train ensemble -o 'my run' --resume\n")
    assert resuming(["label", "--resume", "--overwrite"]) == "facegauge label --resume"


def test_a_run_folder_has_one_writer(toy_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    out.mkdir()
    held = (
        "import sys; from pathlib import Path; from facegauge.tables.locks import hold\n"
        "file = open(sys.argv[1], 'ab'); hold(file, Path('run'))\n"
        "print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", held, str(out / ".lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None and other.stdin is not None
        assert other.stdout.readline() == "held\n"
        config = apply_overrides(load_preset("light_ensemble", "cpu"), SMALL)
        with pytest.raises(UsageError, match=r"another run is writing .*run: .*another folder"):
            recipe.run(config, load_manifest(toy_data), [], out, resume=True)
        other.stdin.close()


def test_a_full_disk_is_one_line(
    toy_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, data: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(fit_state.Path, "write_bytes", full)
    code, _, err = typed(toy_data, tmp_path / "run", "--set", f"{TEACHER}.fit.save_every=1")
    assert code == 1
    assert "the disk is full at" in err and "--resume" in err and "Traceback" not in err
