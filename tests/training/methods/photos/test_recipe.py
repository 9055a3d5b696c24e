"""The photos recipe from end to end on toy pictures: what it learns, keeps and refuses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
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
from facegauge.evaluation.predictions import predict
from facegauge.faces import detection_cache, extraction
from facegauge.faces.extraction import FaceExtractor
from facegauge.faces.policy import ExtractionPolicy
from facegauge.faces.spec import PreprocessSpec
from facegauge.labelling.label_table import load_labels
from facegauge.nn.checkpoints import load_run, save_run
from facegauge.nn.regressor import Regressor
from facegauge.nn.sized import SizedRegressor
from facegauge.predictors import open_predictor, predict_faces
from facegauge.results import Box
from facegauge.training import fit as fitting
from facegauge.training.config import apply_overrides, load_preset
from facegauge.training.inputs.views import Framed
from facegauge.training.methods.photos import recipe
from facegauge.training.methods.photos.config import PhotosConfig
from facegauge.training.methods.photos.recipe import told_size
from facegauge.training.rehearsal import rehearsing
from mspt_toys import TEACHER, listed, one_face

SPEC = PreprocessSpec(width=32, height=40, interpolation="bilinear", crop_mode="crop")
SMALL = [
    "workers=0",
    "backbone=mobilenet_v3_small",
    "input.width=32",
    "input.height=40",
    "teacher.widths=[24, 32]",
    "pool.shrunken=6",
    "pool.degraded=3",
    "pool.min_frame=80",
    "batch.photos=4",
    "batch.unlabelled_photos=2",
    "batch.crops=4",
    "batch.unlabelled=2",
    "batch.pool=4",
    *("fit.steps=4", "fit.warmup=1", "fit.validate_every=2", "fit.save_every=1"),
    *("fit.log_every=1", "fit.precision=fp32"),
]

FIRST = {"score": 2.1811, "photos": 0.2121, "crops": 0.3566, "width": 0.1054}


class Toy:
    """Lists, a start, and a run that is done."""

    def __init__(self, folder: Path) -> None:
        self.data = listed(folder / "data", 24, 0, 3)
        self.photos = listed(folder / "photos", 32, 1, 4, width=90)
        self.crops = listed(folder / "crops", 6, 2, 3)
        self.more = listed(folder / "more", 6, 3, 3, width=90)
        self.large = listed(folder / "large", 8, 4, 4, width=120)
        torch.manual_seed(0)
        network = Regressor("mobilenet_v3_small", "all", 0.5)
        torch.nn.init.normal_(network.head.weight, std=0.05)
        self.start = folder / "start"
        save_run(self.start, system="toy", network=network, config=network.config, spec=SPEC,
                 settings={})  # fmt: skip
        self.out = folder / "run"
        self.figures = self.run(self.out)

    def settings(self, *changes: str) -> PhotosConfig:
        pairs = [f"start={self.start}", *SMALL, *changes]
        config: PhotosConfig = apply_overrides(load_preset("photos", "cpu"), pairs)
        return config

    def run(
        self, out: Path, *changes: str, photos: Manifest | None = None, **options: bool
    ) -> dict[str, float]:
        torch.manual_seed(0)  # of the correction's first layer
        return recipe.run(
            self.settings(*changes), self.data, photos or self.photos, out,
            teacher=TEACHER, unlabelled=[self.crops], unlabelled_photos=[self.more],
            portraits=[self.large], **options,
        )  # fmt: skip


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Toy]:
    with pytest.MonkeyPatch.context() as patch:
        for module in (extraction, detection_cache):
            patch.setattr(module, "CenterFace", lambda **_: one_face)
        yield Toy(tmp_path_factory.mktemp("photos"))


def logged(folder: Path) -> list[dict[str, float]]:
    return [
        json.loads(line) for line in (folder / "uncorrected" / "log.jsonl").read_text().splitlines()
    ]


def test_a_rehearsal_makes_a_small_pool_and_times_it(toy: Toy, tmp_path: Path) -> None:
    with rehearsing() as rehearsal:
        toy.run(tmp_path / "run", "pool.shrunken=900", "pool.degraded=50")
    with np.load(tmp_path / "run" / "pool.npz") as pool:
        assert pool["views"].shape[0] == 90 + 2 * 5
    (part,) = [part for part in rehearsal.parts if part.name == "making the pool"]
    assert part.count == "1000 views" and part.seconds > 0
    assert rehearsal.disk > 1000 * SPEC.width * SPEC.height * 3


def test_the_run_folder_holds_a_network_that_is_told_sizes(toy: Toy) -> None:
    run = load_run(toy.out)
    assert isinstance(run.network, SizedRegressor) and run.system == "photos"
    assert run.spec == SPEC and run.settings["start"] == str(toy.start)
    learned = {one["manifest"]: one["pictures"] for one in run.settings["data"]}
    assert learned["data/labels.csv"] == 16 and learned["photos/labels.csv"] == 24
    assert learned["large/labels.csv"] == 6  # its val rows are held out
    assert {"crops/labels.csv", "more/labels.csv"} <= learned.keys()
    first = logged(toy.out)[0]
    assert {"score", "photos", "crops", "width"} <= first.keys()


def test_first_losses(toy: Toy) -> None:
    first = logged(toy.out)[0]
    found = {name: first[name] for name in ("score", "photos", "crops", "width")}
    assert found == pytest.approx(FIRST, rel=0.05)


def test_the_correction_is_fitted_to_the_photos_of_train(toy: Toy) -> None:
    before, after = load_run(toy.out / "uncorrected").network, load_run(toy.out).network
    assert before.coefficients.tolist() == [0, 1, 0, 0, 0, 0]
    assert torch.equal(before.head.weight, after.head.weight)
    assert not torch.equal(before.coefficients, after.coefficients)
    train = toy.photos.where(split="train")
    errors = [
        np.square(predict(folder, train, faces="auto").scores - train.labels()).mean()
        for folder in (toy.out / "uncorrected", toy.out)
    ]
    assert errors[1] <= errors[0] + 1e-6


def test_weights_are_chosen_by_photos_and_crops(toy: Toy) -> None:
    rows = [row for row in logged(toy.out) if "val_score" in row]
    assert [row["step"] for row in rows] == [2, 4]
    for row in rows:
        assert row["val_score"] == pytest.approx((row["photos"] + row["crops"]) / 2)
    assert toy.figures.keys() == {"photos", "crops", "val_score"}


def test_figures_are_those_of_the_network_as_it_scores(toy: Toy) -> None:
    """It is told sizes in validation as in scoring."""
    for name, data, faces in (("photos", toy.photos, "auto"), ("crops", toy.data, "whole")):
        val = data.where(split="val")
        extractor = FaceExtractor(SPEC, ExtractionPolicy.of_one_face(faces))
        crops = [extractor.prepare(extractor.locate(path)).crops[0] for path in val.paths]
        scores = predict_faces(open_predictor(toy.out), crops, 8)  # may lie beyond 0..1
        assert challenge(scores, val.labels()) == pytest.approx(toy.figures[name], abs=2e-3), name


def test_the_pool_and_the_pseudo_labels_are_kept(toy: Toy) -> None:
    with np.load(toy.out / "pool.npz") as pool:
        assert pool["views"].shape == (6 + 2 * 3, 40, 32, 3)
        assert np.isfinite(pool["widths"]).sum() == 6
        assert ((pool["scores"] >= 0) & (pool["scores"] <= 1)).all()
    table, _ = load_labels(toy.out / "unlabelled_0.csv")
    assert [path.name for path in table.paths] == [path.name for path in toy.crops.paths]


def test_killed_and_resumed_ends_the_same(
    toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    update, left = fitting.update_ema, [2]

    def dying(*args: object) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        update(*args)  # type: ignore[arg-type]

    cut = tmp_path / "cut"
    monkeypatch.setattr(fitting, "update_ema", dying)
    with pytest.raises(KeyboardInterrupt):
        toy.run(cut)
    monkeypatch.setattr(fitting, "update_ema", update)
    with pytest.raises(UsageError, match="--resume"):
        toy.run(cut)
    figures = toy.run(cut, resume=True)
    assert figures == pytest.approx(toy.figures, abs=0.05)
    ours, theirs = (load_file(folder / "model.safetensors") for folder in (cut, toy.out))
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        assert torch.allclose(value.float(), ours[name].float(), atol=1e-4), name


def test_labelled_lists_alone_and_a_sized_start_suffice(toy: Toy, tmp_path: Path) -> None:
    config = toy.settings(f"start={toy.out}", "pool.shrunken=0", "pool.degraded=0")
    figures = recipe.run(config, toy.data, toy.photos, tmp_path / "run", teacher=TEACHER)
    assert figures.keys() == {"photos", "crops", "val_score"}
    start, end = load_run(toy.out).network, load_run(tmp_path / "run").network
    assert torch.equal(start.mean, end.mean) and torch.equal(start.deviation, end.deviation)
    assert not torch.equal(start.width.weight, end.width.weight)


def test_a_start_keeps_its_scores_when_it_is_told_sizes(
    toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = load_run(toy.start).network
    assert isinstance(network, Regressor)
    framed = recipe.load_pretrained(str(toy.start), "mobilenet_v3_small")

    seen = np.array([[1.0] * network.embedding_size, [3.0] * network.embedding_size])
    monkeypatch.setattr(recipe, "features", lambda *_: seen)
    sized = told_size(framed, [], SPEC).eval()
    assert (sized.mean == 2).all() and sized.deviation.tolist() == pytest.approx(
        [1.02] * network.embedding_size
    )
    image = torch.randn(2, 3, 40, 32)
    with torch.inference_mode():
        assert torch.allclose(sized(image, torch.ones(2, 1)), network.eval()(image), atol=1e-6)
    assert told_size(sized, [], SPEC) is sized


def test_weights_move_back_towards_the_start(toy: Toy) -> None:
    start = load_run(toy.start).network
    assert isinstance(start, Regressor)
    trained = load_run(toy.out).network
    assert isinstance(trained, SizedRegressor)
    before = {name: value.clone() for name, value in trained.state_dict().items()}
    recipe.blend(trained, start, 0.25)
    for name, value in trained.state_dict().items():
        own = start.state_dict().get(name)
        if own is None or not value.is_floating_point():
            assert torch.equal(value, before[name])
        else:
            assert torch.allclose(value, 0.75 * before[name] + 0.25 * own, atol=1e-6)


def test_labels_of_photos_move_towards_what_others_say(toy: Toy, tmp_path: Path) -> None:
    photos = [Framed(np.zeros((2, 2, 3), np.uint8), Box(0, 0, 2, 2), y) for y in (0.2, 0.6)]
    moved = recipe.smoothed(photos, np.array([0.4, 0.4]), 0.25)
    assert [one.score for one in moved] == pytest.approx([0.25, 0.55])
    config = toy.settings(f'teacher.networks=["{toy.start}"]', "teacher.smooth=0.5")
    config = apply_overrides(config, ["fit.steps=1", "pool.shrunken=0", "pool.degraded=0"])
    recipe.run(config, toy.data, toy.photos, tmp_path / "run", teacher=TEACHER)


def copied(photos: Manifest, folder: Path) -> Manifest:
    shutil.copytree(photos.paths[0].parent, folder)
    return load_manifest(folder / "labels.csv")


def test_leaks_among_the_photos_are_refused_unless_allowed(toy: Toy, tmp_path: Path) -> None:
    leaky = copied(toy.photos, tmp_path / "photos")
    shutil.copy(leaky.paths[0], leaky.paths[1])  # val's, now in train too
    with pytest.raises(UsageError, match="leaks between splits: 1"):
        toy.run(tmp_path / "run", photos=leaky)
    assert not (tmp_path / "run").exists()
    toy.run(tmp_path / "run", "fit.steps=0", "fit.warmup=0", photos=leaky, allow_leakage=True)


def test_photos_that_another_list_holds_out_are_left_out(
    toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos, more = copied(toy.photos, tmp_path / "a"), copied(toy.more, tmp_path / "b")
    shutil.copy(toy.data.paths[0], photos.paths[1])  # crops' val, in photos' train
    shutil.copy(photos.paths[4], more.paths[1])  # photos' val
    shutil.copy(photos.paths[5], more.paths[2])  # photos' train
    seen: list[list[int]] = []

    class Stopped(Exception):
        pass

    def stop(lists: list[Manifest]) -> None:
        seen.append([len(one) for one in lists])
        raise Stopped

    monkeypatch.setattr(recipe, "describe", stop)
    for allowed in (False, True):
        with pytest.raises(Stopped):
            recipe.run(
                toy.settings(), toy.data, photos, tmp_path / str(allowed), teacher=TEACHER,
                unlabelled_photos=[more], allow_leakage=allowed,
            )  # fmt: skip
    assert [one[:2] for one in seen] == [[23, 4], [24, 6]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: replace(m, scores=None), "has no column score"),
        (lambda m: replace(m, splits=None), "has no column split"),
        (lambda m: m.where(split="train"), "no rows with split 'val'"),
    ],
)
def test_photos_without_labels_or_splits_are_refused_before_the_folder_is_made(
    toy: Toy, tmp_path: Path, change: Callable[[Manifest], Manifest], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        toy.run(tmp_path / "run", photos=change(toy.photos))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "option"),
    [
        (["batch.unlabelled=0"], "--unlabelled"),
        (["batch.unlabelled_photos=0", "batch.pool=0"], "--unlabelled-photos"),
        (["batch.pool=0"], "--portraits"),
        (["pool.shrunken=0", "pool.degraded=0"], "--portraits"),
    ],
)
def test_lists_that_no_batch_uses_are_refused(
    toy: Toy, tmp_path: Path, changes: list[str], option: str
) -> None:
    with pytest.raises(UsageError, match=rf"^{option} is not used by these settings: no batch"):
        toy.run(tmp_path / "run", *changes)
    assert not (tmp_path / "run").exists()


def test_too_few_photos_are_refused(toy: Toy, tmp_path: Path) -> None:
    few = toy.photos.take(np.arange(24))
    with pytest.raises(UsageError, match=r"20 or more photos of train with a face, got 18"):
        toy.run(tmp_path / "run", photos=few)


def test_the_command_hands_everything_on(
    toy: Toy, toy_scorer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    monkeypatch.setattr(recipe, "run", lambda *args, **options: calls.append((args, options)))
    words = ["--data", toy.data.source, "--photos", toy.photos.source, "--teacher", toy_scorer,
             "--unlabelled", toy.crops.source, "--unlabelled-photos", toy.more.source,
             "--portraits", toy.large.source, "-o", tmp_path / "run", "--set", "fit.steps=9",
             "--set", "fit.warmup=1", "--resume", "--allow-leakage"]  # fmt: skip
    result = CliRunner().invoke(app, ["train", "photos", *map(str, words)])
    assert result.exit_code == 0, result.output
    (((settings, data, photos), options),) = calls
    assert settings.fit.steps == 9 and options.pop("out") == tmp_path / "run"
    assert (len(data), len(photos)) == (24, 32) and options.pop("teacher").name == "toy"
    lists = {name: [len(one) for one in options.pop(name)] for name in
             ("unlabelled", "unlabelled_photos", "portraits")}  # fmt: skip
    assert lists == {"unlabelled": [6], "unlabelled_photos": [6], "portraits": [8]}
    assert options == {"resume": True, "allow_leakage": True}
    least = ["--data", toy.data.source, "--photos", toy.photos.source, "--teacher", toy_scorer]
    result = CliRunner().invoke(app, ["train", "photos", *map(str, least), "-o", "x"])
    assert result.exit_code == 0 and calls[1][1]["unlabelled"] == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--set", "start=nowhere"], "start: there is no 'nowhere'; expected"),
        (["--set", "changes.tint=2"], "changes.tint"),
        (["--set", "changes.max_enlarge=0.5"], "changes.max_enlarge"),
        (["--set", "batch.photos=0"], "batch.photos"),
        (["--photos", "nowhere.csv"], "no manifest at nowhere.csv"),
        (["--teacher", "nowhere"], "no scorer 'nowhere'"),
        (["--preset", "paper"], "paper"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    toy: Toy, tmp_path: Path, words: list[str], message: str
) -> None:
    given = {"--data": toy.data.source, "--photos": toy.photos.source, "--teacher": "mobile"}
    given.update({words[0]: words[1]} if words[0] in given else {})
    line = [str(word) for pair in given.items() for word in pair]
    line += words if words[0] not in given else []
    out = tmp_path / "run"
    result = CliRunner().invoke(app, ["train", "photos", *line, "-o", str(out)])
    assert result.exit_code == 2 and message in result.stderr, result.output
    assert result.stderr.count("\n") == 1 and not out.exists()
