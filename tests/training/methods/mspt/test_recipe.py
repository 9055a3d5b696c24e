"""MSPT's recipe: its stages, sources and baselines, end to end on pictures made in code."""

from __future__ import annotations

import importlib
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from facegauge.cli import app
from facegauge.data.manifests import Manifest, load_manifest
from facegauge.errors import UsageError
from facegauge.evaluation.metrics import challenge
from facegauge.faces import extraction
from facegauge.faces.sampling import sample, sample_frame, to_tensor
from facegauge.images.loading import open_picture
from facegauge.labelling.label import fit_mapping
from facegauge.labelling.label_table import load_labels
from facegauge.nn.checkpoints import load_run
from facegauge.results import Box
from facegauge.training import fit as fitting
from facegauge.training.config import apply_overrides, load_preset
from facegauge.training.methods.mspt import recipe as mspt
from facegauge.training.methods.mspt.config import SOURCES
from facegauge.training.methods.mspt.stages import Figures
from facegauge.training.methods.mspt.stages import forgetting as forgetting_of
from mspt_toys import TEACHER, listed, one_face, sharpness

BENCHMARKS = Path(__file__).parents[4] / "benchmarks"
STAGES = ("one", "two", "three")
SIZES = ((32, 40), (40, 48), (48, 60))
SHORT = {"steps": 3, "warmup": 1, "validate_every": 2, "save_every": 1, "log_every": 1}
SMALL = [
    "workers=0",
    "network.init_from=",
    "network.backbone=mobilenet_v3_small",
    "objective.label_rank_weight=0.0",
    "portraits.copies=2",
    "portraits.max_width=60",
    *(f"stages.{stage}.fit.{key}={value}" for stage in STAGES for key, value in SHORT.items()),
    *(
        f"stages.{stage}.input.{side}={value}"
        for stage, size in zip(STAGES, SIZES, strict=True)
        for side, value in zip(("width", "height"), size, strict=True)
    ),
    "stages.one.views.labelled=6",
    "stages.one.groups.labelled=1",
    "stages.two.views.labelled=4",
    "stages.two.views.unlabelled=3",
    "stages.two.fit.lr=1e-60",
    "stages.two.fit.weight_decay=0.0",
    *(f"stages.three.views.{name}=2" for name in ("labelled", "unlabelled")),
    "stages.three.views.portraits=3",
]


class Toy:
    """Data, and a run of it that is done."""

    def __init__(self, folder: Path) -> None:
        self.data = listed(folder / "data", 24, 0, 3)
        self.faces = listed(folder / "faces", 15, 1, 3)
        self.large = listed(folder / "large", 8, 2, 4, width=80)
        self.out = folder / "runs" / "mspt"
        self.figures = self.run(self.out)

    def run(self, out: Path, *changes: str, resume: bool = False) -> Figures:
        config = apply_overrides(load_preset("mspt", "cpu"), [*SMALL, *changes])
        return mspt.run(
            config, self.data, [self.faces], [self.large], out, teacher=TEACHER, resume=resume
        )


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Toy]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mspt, "FACES", "whole")
        patch.setattr(extraction, "CenterFace", lambda **_: one_face)
        yield Toy(tmp_path_factory.mktemp("mspt"))


def logged(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def weights(folder: Path, file: str = "model.safetensors") -> dict[str, torch.Tensor]:
    return load_file(folder / file)


def test_every_stage_leaves_a_run_folder_and_the_last_is_the_runs(toy: Toy) -> None:
    for stage, size in zip(STAGES, SIZES, strict=True):
        run = load_run(toy.out / stage)
        assert (run.spec.width, run.spec.height) == size
        assert run.system == f"mspt stage {stage}"
    run = load_run(toy.out)
    assert run.system == "mspt" and (run.spec.width, run.spec.height) == SIZES[-1]
    ends = weights(toy.out), weights(toy.out / "three")
    assert all(torch.equal(value, ends[1][name]) for name, value in ends[0].items())
    size = run.settings["input"]
    assert (size["width"], size["height"]) == SIZES[-1]
    assert [one["input"]["width"] for one in run.settings["stages"].values()] == [32, 40, 48]
    learned = {one["manifest"]: one["pictures"] for one in run.settings["data"]}
    assert learned == {"data/labels.csv": 16, "faces/labels.csv": 10, "large/labels.csv": 6}


def test_first_losses(toy: Toy) -> None:
    first = logged(toy.out / "one")[0]
    assert first["labels"] == pytest.approx(1.0416, rel=0.02)
    assert first["order"] == pytest.approx(0.0217, rel=0.02)


def test_a_stage_starts_from_the_last_ones_best_weights(toy: Toy) -> None:
    """The second stage has a rate of 0: only what batch norm remembers moves."""
    best, second = weights(toy.out / "one", "best.safetensors"), weights(toy.out / "two")
    learned = [name for name, _ in load_run(toy.out).network.named_parameters()]
    assert all(torch.equal(best[name], second[name]) for name in learned)
    third = weights(toy.out / "three")
    assert not any(torch.equal(second[name], third[name]) for name in learned if "head" in name)


def test_weights_are_chosen_by_every_source_of_the_stage(toy: Toy) -> None:
    for stage, sources in zip(STAGES, (1, 2, 3), strict=True):
        figures = [row for row in logged(toy.out / stage) if "val_score" in row]
        assert [row["step"] for row in figures] == [2, 3]
        for row in figures:
            parts = [row[name] for name in SOURCES if name in row]
            assert len(parts) == sources
            assert row["val_score"] == pytest.approx(np.mean(parts))


def test_figures_after_a_stage_are_those_of_its_network_on_what_is_held_out(toy: Toy) -> None:
    assert list(toy.figures) == list(STAGES)
    run, held = load_run(toy.out / "two"), toy.data.where(split="val")
    whole = Box(0, 0, 48, 60)
    images = [
        to_tensor(sample_frame(open_picture(path), whole, run.spec), run.spec)
        for path in held.paths
    ]
    with torch.no_grad():
        scores = run.network(torch.from_numpy(np.stack(images))).numpy()
    assert toy.figures["two"]["labelled"] == pytest.approx(
        challenge(scores, held.labels()), abs=1e-4
    )


def test_portraits_are_labelled_by_the_teacher_in_its_own_way(toy: Toy) -> None:
    cuts = load_manifest(toy.out / "sources" / "portraits" / "list.csv")
    table, _ = load_labels(toy.out / "sources" / "portraits.csv")
    assert [path.name for path in table.paths] == [path.name for path in cuts.paths]
    assert cuts.group("kind").count("clean") == 6 and len(cuts) == 6 * 3
    raw = []
    for path in table.paths:
        pixels = open_picture(path)
        box = Box(0, 0, pixels.shape[1], pixels.shape[0])
        raw.append(to_tensor(sample(pixels, box, TEACHER.spec), TEACHER.spec))
    said = sharpness(np.stack(raw))
    assert np.array(table.group("raw"), float) == pytest.approx(said, abs=1e-5)
    mapping = fit_mapping(TEACHER, toy.data.where(split="val"))
    assert table.labels() == pytest.approx(np.clip(mapping(said), 0, 1), abs=1e-5)
    assert load_labels(toy.out / "sources" / "unlabelled_val.csv")[0].paths[1].name == "3.png"


@pytest.mark.slow
def test_killed_in_the_second_stage_and_resumed_ends_the_same(
    toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "facegauge")
    update, left = fitting.update_ema, [5]  # the first stage takes 3

    def dying(*args: object) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        update(*args)  # type: ignore[arg-type]

    cut = tmp_path / "cut"
    monkeypatch.setattr(fitting, "update_ema", dying)
    with pytest.raises(KeyboardInterrupt):
        toy.run(cut)
    assert (cut / "two" / "state.pt").exists() and not (cut / "three").exists()
    monkeypatch.setattr(fitting, "update_ema", update)
    with pytest.raises(UsageError, match="--resume"):
        toy.run(cut)
    figures = toy.run(cut, resume=True)
    assert "two: resumed at step 2" in caplog.messages
    for name, value in weights(toy.out).items():
        assert torch.allclose(value.float(), weights(cut)[name].float(), atol=1e-4), name
    for stage, expected in toy.figures.items():
        assert figures[stage] == pytest.approx(expected, abs=0.05)
    assert any(line.startswith("after stage three: labelled") for line in caplog.messages)
    assert any(line.startswith("forgotten") for line in caplog.messages)


def test_a_source_is_on_the_card_if_a_stage_learns_from_it() -> None:
    stages = [*load_preset("mspt", "cpu").stages.values()]
    assert mspt.is_learned("portraits", stages) and mspt.is_learned("unlabelled", stages)
    assert not mspt.is_learned("portraits", stages[:1])
    assert mspt.is_learned("labelled", stages[:1])


def test_a_source_must_hold_some_pictures_out(toy: Toy, tmp_path: Path) -> None:
    few = toy.large.take(np.arange(1, 5))
    config = apply_overrides(load_preset("mspt", "cpu"), [*SMALL, "portraits.copies=1"])
    with pytest.raises(UsageError, match="portraits: 2 pictures with a face are held out"):
        mspt.run(config, toy.data, [toy.faces], [few], tmp_path / "r", teacher=TEACHER)


def test_the_command_hands_everything_on(
    toy: Toy, toy_scorer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    monkeypatch.setattr(mspt, "run", lambda *args, **options: calls.append((args, options)))
    folder = tmp_path / "more"
    folder.mkdir()
    (folder / "1.png").write_bytes(toy.faces.paths[1].read_bytes())
    words = ["--data", toy.data.source, "--unlabelled", folder, "--portraits", toy.large.source,
             "--teacher", toy_scorer, "-o", tmp_path / "run", "--set", "replay=false",
             "--resume"]  # fmt: skip
    result = CliRunner().invoke(app, ["train", "mspt", *map(str, words)])
    assert result.exit_code == 0, result.output
    (((settings, data, faces, large), options),) = calls
    assert settings.replay is False and options["resume"] is True
    assert (
        len(data) == 24 and options["out"] == tmp_path / "run" and options["teacher"].name == "toy"
    )
    assert [path.name for path in faces[0].paths] == ["1.png"] and len(large[0]) == 8
    assert options["allow_leakage"] is False
    CliRunner().invoke(app, ["train", "mspt", *map(str, words), "--allow-leakage"])
    assert calls[1][1]["allow_leakage"] is True


def page_rows(page: Path, title: str) -> list[list[str]]:
    section = page.read_text().split(f"## {title}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_table_of_forgetting(toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    forgetting = importlib.import_module("forgetting")
    words = ["--run", f"stages={toy.out}", "--results", tmp_path,
             "--source", f"labelled={toy.data.source}",
             "--source", f"portraits={toy.out / 'sources' / 'portraits_val.csv'}"]  # fmt: skip
    forgetting.main(list(map(str, words)))
    page = tmp_path / "forgetting.md"
    header, *rows = page_rows(page, "After each stage")
    assert header == ["run", "after stage", "input", "labelled, n = 8", "portraits, n = 6"]
    for stage, row in zip(STAGES, rows[1:], strict=True):
        assert row[:2] == ["stages", stage]
        for source, cell in (("labelled", row[3]), ("portraits", row[4])):
            assert float(cell.split()[0]) == pytest.approx(toy.figures[stage][source], abs=2e-3)
    lost = forgetting_of(toy.figures)
    cell = page_rows(page, "Forgotten")[2][1]
    assert float(cell.split()[0]) == pytest.approx(lost["labelled"], abs=2e-3)
    cost = sum(3 * views * w * h for views, (w, h) in zip((9, 13, 13), SIZES, strict=True)) / 1e9
    assert page_rows(page, "Training cost")[2][2] == f"{cost:.2f}"
    for run, message in (("nothing", "NAME=PATH"), (f"x={tmp_path}", "is not a finished run")):
        with pytest.raises(UsageError, match=message):
            forgetting.main([*map(str, words[2:]), "--run", run])


def test_leaks_are_refused_or_left_out_unless_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, faces = listed(tmp_path / "data", 15, 0, 3), listed(tmp_path / "faces", 6, 1, 3)
    large = listed(tmp_path / "large", 6, 2, 3)
    shutil.copy(data.paths[1], faces.paths[1])
    shutil.copy(faces.paths[2], large.paths[2])  # and is left out for the faces' sake
    gathered = []

    class Gathered(Exception):
        pass

    def gather(context: object, config: object, *lists: Sequence[Manifest]) -> None:
        gathered.append([len(part) for side in lists[:2] for part in side])
        raise Gathered

    monkeypatch.setattr(mspt, "gather", gather)
    settings = apply_overrides(load_preset("mspt", "cpu"), SMALL)
    for allowed in (False, True):
        with pytest.raises(Gathered):
            mspt.run(
                settings, data, [faces], [large], tmp_path / str(allowed),
                teacher=TEACHER, allow_leakage=allowed,
            )  # fmt: skip
    assert gathered == [[5, 5], [6, 6]]
    shutil.copy(data.paths[0], data.paths[1])
    with pytest.raises(UsageError, match="leaks between splits: 1"):
        mspt.run(settings, data, [faces], [large], tmp_path / "refused", teacher=TEACHER)
    assert not (tmp_path / "refused").exists()


def test_forgetting_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    forgetting = importlib.import_module("forgetting")
    labels = np.array([0.1, 0.2, 0.3, 0.4])
    # rank correlations: 1, then 1 - 6 * 2 / 60 = 0.8, then 1 - 6 * 8 / 60 = 0.2
    scores = np.array([[1, 2, 3, 4], [2, 1, 3, 4], [3, 2, 1, 4]], float)
    cell = forgetting.forgotten(labels, scores, STAGES, forgetting.FIGURES["srcc"])
    assert cell.startswith("+0.800 [") and cell.endswith("(one)")
    assert forgetting.forgotten(labels, scores[:1], STAGES, forgetting.FIGURES["srcc"]) == "-"
    assert forgetting.forgotten(labels, scores * 0, STAGES, forgetting.FIGURES["srcc"]) == "-"
    lost = np.where(np.arange(4) == 2, np.nan, scores)
    runs = {
        "a": forgetting.RunScores({"one": "8 x 8", "two": "9 x 9"}, 1.0, {"s": scores[[2, 1]]}),
        "b": forgetting.RunScores({"single": "9 x 9"}, 1.0, {"s": scores[2:]}),
    }
    (row,) = forgetting.baseline_table(runs, {"s": labels}, forgetting.FIGURES["srcc"], "").rows
    assert row[0] == "a - b" and row[1].startswith("+0.600 [")
    runs["c"] = forgetting.RunScores({"one": "8 x 8"}, 1.0, {"s": lost})
    kept = forgetting.in_all(runs)
    assert kept["s"].tolist() == [True, True, False, True]
    assert forgetting.heading(("s", kept["s"])) == "s, n = 3 (1 without a score)"
