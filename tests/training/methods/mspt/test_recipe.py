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
from PIL import Image
from safetensors.torch import load_file
from typer.testing import CliRunner

from facegauge.cli import app
from facegauge.data.manifests import Manifest, load_manifest
from facegauge.errors import UsageError
from facegauge.evaluation.metrics import challenge
from facegauge.faces import extraction
from facegauge.faces.framing import frame_around
from facegauge.faces.sampling import sample, to_tensor
from facegauge.faces.spec import PreprocessSpec
from facegauge.images.loading import open_picture
from facegauge.labelling.label import fit_mapping
from facegauge.labelling.label_table import load_labels
from facegauge.nn.checkpoints import load_run
from facegauge.nn.regressor import Regressor
from facegauge.results import Box, Face
from facegauge.training import fit as fitting
from facegauge.training.inputs.views import Framed, ViewMaker
from facegauge.training.legacy_config import apply_overrides, load_preset
from facegauge.training.methods.mspt import recipe as mspt
from facegauge.training.methods.mspt.portraits import CopySettings, cut_portraits
from facegauge.training.methods.mspt.sources import Together, parted
from facegauge.training.settings import BatchPlan, ViewsConfig
from toys import ToyPredictor

BENCHMARKS = Path(__file__).parents[4] / "benchmarks"
STAGES = ("one", "two", "three")
SIZES = ((32, 40), (40, 48), (48, 60))
SHORT = {"steps": 3, "warmup": 1, "validate_every": 2, "save_every": 1, "log_every": 1}
SMALL = [
    "workers=0",
    "network.start=",
    "network.backbone=mobilenet_v3_small",
    "objective.rank_weight=0.0",
    "portraits.copies=2",
    "portraits.width=60",
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
    "stages.two.fit.lr=0.0",
    *(f"stages.three.views.{name}=2" for name in ("labelled", "unlabelled")),
    "stages.three.views.portraits=3",
]


def grain(path: Path, rng: np.random.Generator, sharpness: float, width: int = 48) -> Path:
    """Blurred noise, framed like a face: sharper with `sharpness`, 0..1."""
    size = max(2, round(width * sharpness))
    noise = rng.integers(0, 256, (round(size * 5 / 4), size, 3), np.uint8)
    whole = (width, width * 5 // 4)
    Image.fromarray(noise).resize(whole, Image.Resampling.BICUBIC).save(path)
    return path


def sharpness(images: np.ndarray) -> np.ndarray:
    """The toy teacher: how much neighbours differ."""
    return np.abs(np.diff(images, axis=3)).mean((1, 2, 3)).astype(np.float64)


TEACHER = ToyPredictor("toy", "0" * 64, PreprocessSpec(width=24, height=30), sharpness)


def one_face(pixels: np.ndarray) -> list[Face]:
    """In place of the detector: the middle of the picture, unless that is dark."""
    height, width = pixels.shape[:2]
    box = Box(0.3 * width, 0.3 * height, 0.7 * width, 0.7 * height)
    return [Face(box, 0.9)] if pixels.mean() > 60 else []


def listed(folder: Path, count: int, seed: int, held: int, width: int = 48) -> Manifest:
    """Pictures with labels by sharpness; every `held`-th is val's."""
    rng = np.random.default_rng(seed)
    folder.mkdir()
    rows = ["image,score,split"]
    for number in range(count):
        score = (number % 12 + 1) / 13
        grain(folder / f"{number}.png", rng, score, width)
        rows.append(f"{number}.png,{score:.4f},{'train' if number % held else 'val'}")
    (folder / "labels.csv").write_text("\n".join(rows))
    return load_manifest(folder / "labels.csv")


class Toy:
    """Data, and a run of it that is done."""

    def __init__(self, folder: Path) -> None:
        self.data = listed(folder / "data", 24, 0, 3)
        self.faces = listed(folder / "faces", 15, 1, 3)
        self.large = listed(folder / "large", 8, 2, 4, width=80)
        self.out = folder / "runs" / "mspt"
        self.said: list[str] = []
        self.after = self.run(self.out)

    def run(self, out: Path, *changes: str, resume: bool = False) -> mspt.After:
        settings = apply_overrides(load_preset("mspt", "cpu"), [*SMALL, *changes])
        return mspt.run(
            settings, self.data, [self.faces], [self.large], out, teacher=TEACHER,
            resume=resume, say=self.said.append,
        )  # fmt: skip


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Toy]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mspt, "FACES", "whole")
        patch.setattr(extraction, "CenterFace", lambda: one_face)
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
    assert run.settings["input"] == {"width": 48, "height": 60}
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
            parts = [row[name] for name in mspt.SOURCES if name in row]
            assert len(parts) == sources
            assert row["val_score"] == pytest.approx(np.mean(parts))


def test_figures_after_a_stage_are_those_of_its_network_on_what_is_held_out(toy: Toy) -> None:
    assert list(toy.after) == list(STAGES)
    run, held = load_run(toy.out / "two"), toy.data.where(split="val")
    whole = Box(0, 0, 48, 60)
    images = [
        to_tensor(sample(open_picture(path), whole, run.spec), run.spec) for path in held.paths
    ]
    with torch.no_grad():
        scores = run.network(torch.from_numpy(np.stack(images))).numpy()
    assert toy.after["two"]["labelled"] == pytest.approx(challenge(scores, held.labels()), abs=1e-4)
    assert any(line.startswith("after two: labelled") for line in toy.said)
    assert any(line.startswith("forgotten") for line in toy.said)


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
    after = toy.run(cut, resume=True)
    assert "two: resumed at step 2" in caplog.messages
    for name, value in weights(toy.out).items():
        assert torch.allclose(value.float(), weights(cut)[name].float(), atol=1e-4), name
    for stage, figures in toy.after.items():
        assert after[stage] == pytest.approx(figures, abs=0.05)


def test_baselines_cost_the_same() -> None:
    settings = load_preset("mspt", "cpu")
    stages = settings["stages"]
    alone = mspt.planned({**settings, "replay": False})
    assert alone["one"] == stages["one"]
    assert alone["two"]["views"] == {"unlabelled": 32}
    assert alone["three"]["views"] == {"portraits": 32}
    assert alone["three"]["groups"] == {"portraits": 2}
    (single,) = mspt.planned({**settings, "single": True}).values()
    assert single["views"] == stages["three"]["views"]
    assert single["fit"]["lr"] == stages["one"]["fit"]["lr"]
    plan = [(160, 178 * 218), (240, 208 * 255), (320, 246 * 301)]
    total = sum(steps * (32 + 2 * 3) * pixels for steps, pixels in plan)
    for way in (stages, alone):
        assert sum(mspt.pixels_seen(stage, 3) for stage in way.values()) == total
    assert single["fit"]["steps"] == round(total / (32 + 6) / (246 * 301))
    assert settings["replay"] and not settings["single"]
    assert mspt.planned(settings) == stages


@pytest.mark.parametrize(
    ("views", "message"),
    [({"web": 3}, "stage one: unknown source 'web'"), ({"labelled": 0}, "stage one: no views")],
)
def test_a_stage_of_views_that_cannot_be(views: dict[str, int], message: str) -> None:
    settings = load_preset("mspt", "cpu")
    settings["stages"]["one"]["views"] = views
    with pytest.raises(UsageError, match=message):
        mspt.planned(settings)


def test_stages_without_steps_are_left_out() -> None:
    settings = load_preset("mspt", "cpu")
    settings["stages"]["one"]["fit"]["steps"] = 0
    assert list(mspt.planned(settings)) == ["two", "three"]
    for stage in settings["stages"].values():
        stage["fit"]["steps"] = 0
    with pytest.raises(UsageError, match="no stage with steps"):
        mspt.planned(settings)


def test_forgotten_is_the_best_earlier_less_now() -> None:
    after = {
        "one": {"a": 0.9, "b": 0.2},
        "two": {"a": 0.7, "b": 0.5},
        "three": {"a": 0.8, "b": 0.6},
    }
    assert mspt.forgotten(after) == pytest.approx({"a": 0.1, "b": -0.1})


def test_the_paper_preset_is_the_published_network_in_three_growing_stages() -> None:
    """Its cost at 640 x 640, 0.4687 G, is pinned where the networks are tested."""
    paper = load_preset("mspt", "paper")
    numbers, stages = paper["network"], list(paper["stages"].values())
    assert numbers["backbone"] == "mobilenetv3_small_100" and numbers["weights"] == "imagenet"
    with torch.device("meta"):
        network = Regressor(numbers["backbone"], numbers["depths"], head=numbers["head"])
    assert sum(p.numel() for p in network.parameters()) == 1_518_881
    assert len(stages) == 3 and stages[-1]["input"] == {"width": 640, "height": 640}


@pytest.mark.parametrize("preset", ["cpu", "paper"])
def test_every_stage_keeps_the_data_and_enlarges_the_input(preset: str) -> None:
    stages = list(load_preset("mspt", preset)["stages"].values())
    assert [set(stage["views"]) for stage in stages] == [
        set(mspt.SOURCES[:count]) for count in (1, 2, 3)
    ]
    sizes = [stage["input"]["width"] for stage in stages]
    assert sizes == sorted(set(sizes))


def test_sources_are_parted_by_split_or_by_name(tmp_path: Path) -> None:
    split = listed(tmp_path / "split", 6, 0, 3)
    plain = tmp_path / "plain"
    plain.mkdir()
    for number in range(60):
        Image.new("RGB", (4, 5)).save(plain / f"{number}.png")
    folder = load_manifest(plain)
    learn, held = parted([split, folder])
    names = {path.name for path in held.paths if path.parent == plain}
    assert {path.name for path in held.paths if path.parent != plain} == {"0.png", "3.png"}
    assert len(learn) + len(held) == 66 and not set(learn.paths) & set(held.paths)
    assert 2 <= len(names) <= 15 and learn.splits is None
    turned = parted([folder.take(np.arange(60)[::-1])])[1]
    assert {path.name for path in turned.paths} == names


def test_a_source_must_hold_some_pictures_out(toy: Toy, tmp_path: Path) -> None:
    few = toy.large.take(np.arange(1, 5))
    settings = apply_overrides(load_preset("mspt", "cpu"), SMALL)
    settings["portraits"]["copies"] = 1
    with pytest.raises(UsageError, match="portraits: 2 pictures with a face are held out"):
        mspt.run(settings, toy.data, [toy.faces], [few], tmp_path / "r", teacher=TEACHER, say=str)


def test_views_of_several_sources_lie_end_to_end() -> None:
    spec, how = (
        PreprocessSpec(width=8, height=10),
        ViewsConfig(shift=0, zoom=0, integer_shift_prob=1),
    )

    def maker(level: int) -> ViewMaker:
        pixels = np.full((10, 8, 3), level, np.uint8)
        return ViewMaker(
            [Framed(pixels, Box(0, 0, 8, 10), level / 255, sample_weight=level)], spec, how
        )

    kinds = [
        (maker(51), BatchPlan(labelled=2)),
        (maker(204), BatchPlan(labelled=3)),
        (maker(102), BatchPlan(groups=2, copies=3)),
    ]
    together = Together(kinds, steps=4, seed=1)
    batch = together[2]
    assert len(together) == 4 and set(batch) == {
        "labelled", "score", "sample_weight", "ordered", "severity"
    }  # fmt: skip
    assert batch["labelled"][:, 0, 0, 0].tolist() == [51, 51, 204, 204, 204]
    assert batch["score"].tolist() == pytest.approx([0.2, 0.2, 0.8, 0.8, 0.8])
    assert batch["sample_weight"].tolist() == [51, 51, 204, 204, 204]
    assert batch["ordered"].shape == (2, 3, 10, 8, 3) and (batch["ordered"][:, 0] == 102).all()
    again = Together(kinds, steps=4, seed=1)[2]
    assert all(torch.equal(value, again[name]) for name, value in batch.items())


def test_starts_from_a_member_of_an_earlier_ensemble(toy: Toy, toy_run: Path) -> None:
    start = [f"network.start={toy_run}", "network.backbone=mobilenet_v3_small"]
    settings = apply_overrides(load_preset("mspt", "cpu"), start)
    job = mspt.Job(settings, None, None, None, 0.4, toy_run, print)  # type: ignore[arg-type]
    numbers = {**settings["network"], "fit": {"seed": 1}}
    network = job.begun(numbers)
    member = load_run(toy_run).members["mobilenet_v3_small"].state_dict()
    assert all(torch.equal(value, member[name]) for name, value in network.state_dict().items())
    with pytest.raises(UsageError, match="and shufflenet_v2_x0_5, not mobilenet_v2"):
        job.begun({**numbers, "backbone": "mobilenet_v2"})


def cutting(**changes: object) -> CopySettings:
    numbers = {"copies": 2, "kinds": ["jpeg", "noise", "dark"], "severity": (4.0, 5.0),
               "width": 500, "seed": 3}  # fmt: skip
    return CopySettings(**{**numbers, **changes})  # type: ignore[arg-type]


def test_faces_are_cut_in_their_own_pixels(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rng = np.random.default_rng(0)
    source = tmp_path / "source"
    source.mkdir()
    pixels = rng.integers(100, 256, (300, 200, 3), np.uint8)
    Image.fromarray(pixels).save(source / "a.png")
    Image.new("RGB", (200, 300)).save(source / "dark.png")
    (source / "z.png").write_bytes(b"no picture")
    spec = PreprocessSpec(width=24, height=30)
    folder = tmp_path / "cuts"
    manifest = load_manifest(source)
    cuts = cut_portraits(manifest, folder, spec, cutting(), detector=one_face)
    assert caplog.messages == [
        f"left out: {source / 'z.png'}: the file is not a picture of a known format, or is damaged",
        f"{source}: no face in 2 of 3 portraits",
    ]
    assert len(cuts) == 3 and set(cuts.group("source")) == {"a.png"}
    assert cuts.group("kind")[0] == "clean" and cuts.group("severity")[0] == "0.00"
    assert len(set(cuts.group("kind"))) == 3

    frame = frame_around(one_face(pixels)[0], spec)
    left, top = round(frame.left), round(frame.top)
    wide, high = round(frame.width), round(frame.height)
    expected = np.pad(pixels, ((300, 300), (300, 300), (0, 0)), "edge")
    expected = expected[300 + top : 300 + top + high, 300 + left : 300 + left + wide]
    clean, *copies = (open_picture(path) for path in cuts.paths)
    assert np.array_equal(clean, expected)
    assert all(copy.shape == clean.shape and (copy != clean).any() for copy in copies)

    again = cut_portraits(manifest, folder, spec, cutting(), detector=lambda _: [])
    assert again.paths == cuts.paths  # what is there is taken as it is
    other = cut_portraits(manifest, tmp_path / "other", spec, cutting(), detector=one_face)
    assert [p.read_bytes() for p in other.paths] == [p.read_bytes() for p in cuts.paths]
    small = cut_portraits(manifest, tmp_path / "small", spec, cutting(width=30), detector=one_face)
    assert open_picture(small.paths[0]).shape[1] == 30


def test_cutting_says_what_is_wrong(toy: Toy, tmp_path: Path) -> None:
    spec = PreprocessSpec(width=24, height=30)
    for settings in (cutting(copies=4), cutting(kinds=["jpeg", "rain"])):
        with pytest.raises(UsageError, match="copies need as many kinds of"):
            cut_portraits(toy.large, tmp_path, spec, settings, detector=one_face)
    with pytest.raises(UsageError, match="none of the portraits has a face"):
        cut_portraits(toy.large, tmp_path, spec, cutting(), detector=lambda _: [])


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
    (((settings, data, faces, large, out), options),) = calls
    assert settings["replay"] is False and options["resume"] is True
    assert len(data) == 24 and out == tmp_path / "run" and options["teacher"].name == "toy"
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
            assert float(cell.split()[0]) == pytest.approx(toy.after[stage][source], abs=2e-3)
    lost = mspt.forgotten(toy.after)
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
    data, faces = listed(tmp_path / "data", 12, 0, 3), listed(tmp_path / "faces", 6, 1, 3)
    large = listed(tmp_path / "large", 6, 2, 3)
    shutil.copy(data.paths[1], faces.paths[1])
    shutil.copy(faces.paths[2], large.paths[2])  # and is left out for the faces' sake
    gathered = []

    class Gathered(Exception):
        pass

    def gather(job: object, *lists: Sequence[Manifest]) -> None:
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
