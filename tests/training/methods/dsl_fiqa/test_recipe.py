"""DSL-FIQA's recipe, end to end on pictures made in code."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from facegauge.arrays import Pixels
from facegauge.data.manifests import Manifest, load_manifest
from facegauge.errors import UsageError
from facegauge.evaluation.metrics import challenge
from facegauge.evaluation.predictions import predict_with
from facegauge.faces import detection_cache
from facegauge.faces.dense_landmarks import landmark_path
from facegauge.faces.spec import PreprocessSpec
from facegauge.nn.checkpoints import load_run, save_run
from facegauge.nn.predictor import open_run_predictor
from facegauge.nn.regressor import Regressor
from facegauge.results import Box, Face
from facegauge.scorer import Scorer
from facegauge.training import fit as fitting
from facegauge.training.config import apply_overrides, from_dict, load_preset, to_dict
from facegauge.training.export import export_run
from facegauge.training.inputs.views import Framed
from facegauge.training.methods.dsl_fiqa import recipe as dsl
from facegauge.training.methods.dsl_fiqa.config import DslFiqaConfig
from facegauge.training.methods.dsl_fiqa.network import DslFiqa
from toys import first_losses, grain

SHORT = {"steps": 4, "warmup": 1, "validate_every": 2, "save_every": 1, "log_every": 1}
SMALL = [
    "input.width=48",
    "input.height=64",
    "workers=0",
    "retrieval.people=3",
    "encoder.channels=[4, 8]",
    "encoder.backbone=",
    "encoder.init_from=",
    "core.init_from=",
    "encoder.grid=[3, 2]",
    "encoder.plan.degraded=4",
    "encoder.plan.real=6",
    "core.backbone=shufflenet_v2_x0_5",
    "core.tap_width=4",
    "core.width=8",
    "core.heads=2",
    "core.window=[2, 2]",
    "core.mlp=8",
    "core.decoder_width=8",
    "core.decoder_heads=2",
    "core.plan.labelled=6",
    "core.plan.groups=1",
    *(f"{part}.fit.{key}={value}" for part in ("encoder", "core") for key, value in SHORT.items()),
]


class CentreFace:
    """A detector that finds a face in the middle of whatever it sees."""

    def __call__(self, pixels: Pixels) -> list[Face]:
        height, width = pixels.shape[:2]
        box = Box(0.255 * width, 0.31 * height, 0.765 * width, 0.85 * height)
        places = ((0.4, 0.5), (0.6, 0.5), (0.5, 0.6), (0.4, 0.75), (0.6, 0.75))
        return [Face(box, 0.9, tuple((x * width, y * height) for x, y in places))]


@pytest.fixture(autouse=True)
def detector(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detection_cache, "CenterFace", CentreFace)


@pytest.fixture
def data(tmp_path: Path) -> Manifest:
    rng = np.random.default_rng(0)
    rows = ["image,score,split,identity"]
    for number in range(24):
        score = (number % 12 + 1) / 13
        grain(tmp_path / f"{number}.png", rng, score)
        split = "val" if number >= 16 else "train"
        rows.append(f"{number}.png,{score:.4f},{split},p{number // 2}")
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    return load_manifest(tmp_path / "labels.csv")


@pytest.fixture
def sets(tmp_path: Path) -> tuple[list[Manifest], list[Manifest]]:
    """Unlabelled faces and clean ones."""
    made = []
    for number, (name, least) in enumerate((("wild", 0.1), ("clean", 0.9))):
        folder, rng = tmp_path / name, np.random.default_rng(number + 1)
        folder.mkdir()
        for picture in range(5):
            grain(folder / f"{picture}.png", rng, rng.uniform(least, 1))
        made.append([load_manifest(folder)])
    return made[0], made[1]


def settings(*changes: str) -> DslFiqaConfig:
    return apply_overrides(load_preset("dsl_fiqa", "cpu"), [*SMALL, *changes])


Sets = tuple[list[Manifest], list[Manifest]]


def test_an_encoder_begins_with_a_scorers_layers(
    data: Manifest, sets: Sets, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    before = Regressor("shufflenet_v2_x0_5", "all")
    spec = PreprocessSpec(width=48, height=64)
    save_run(tmp_path / "before", system="x", network=before, config=before.config, spec=spec,
             settings={})  # fmt: skip
    changes = (
        "encoder.channels=[]", "encoder.backbone=shufflenet_v2_x0_5",
        f"encoder.init_from={tmp_path / 'before'}",
    )  # fmt: skip
    encoder, record = dsl.create_encoder(settings(*changes).encoder)
    x = torch.rand(2, 3, 64, 48)
    assert torch.equal(encoder.eval().body(x), before.eval().features(x)["stage2"])
    assert record == {}
    torch.save(before.body.state_dict(), tmp_path / "weights.pth")
    file = [*changes[:2], f"encoder.init_from={tmp_path / 'weights.pth'}"]
    from_file, _ = dsl.create_encoder(settings(*file).encoder)
    assert torch.equal(from_file.eval().body(x), encoder.body(x))


def test_both_stages_leave_their_part(data: Manifest, sets: Sets, tmp_path: Path) -> None:
    out = tmp_path / "run"
    figures = dsl.run(settings(), data, *sets, out)
    assert list(figures) == ["map", "val_score"] and 0 < figures["map"] <= 1
    encoder, run = load_run(out / "encoder"), load_run(out)
    assert encoder.system == "dsl encoder" and run.system == "dsl"
    assert isinstance(run.network, DslFiqa) and run.network.core.guide is not None
    kept = encoder.network.state_dict()
    for name, value in run.network.encoder.state_dict().items():
        assert torch.equal(value, kept[name]), f"{name} moved while the core was trained"
    losses = first_losses(out / "encoder")
    # M = 4 copies and N = 6 faces: entropies lie between 0 and ln of what is shared among
    assert set(losses) == {"s_r_s", "r_s_r", "entropy_r", "entropy_s"}
    assert 0 <= losses["entropy_r"] <= np.log(6) + 1e-4
    assert first_losses(out) == pytest.approx({"labels": 1.0004, "order": 0.03345}, rel=0.05)


def test_landmarks_reach_the_network_in_training_and_validation(
    data: Manifest, sets: Sets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = set()
    forward = DslFiqa.forward

    def watching(self: DslFiqa, x: torch.Tensor, landmarks: torch.Tensor) -> torch.Tensor:
        assert landmarks.shape == (len(x), 10)
        inside = landmarks.abs().max(1).values
        assert ((inside > 0) & (inside < 1)).all()
        seen.add(self.training)
        return forward(self, x, landmarks)

    monkeypatch.setattr(DslFiqa, "forward", watching)
    dsl.run(settings("encoder.fit.steps=0"), data, [], sets[1], tmp_path / "run")
    assert seen == {True, False}


def photos_of(folder: Path, people: str = "q") -> Manifest:
    """Labelled pictures of which a face fills a quarter, in two splits."""
    folder.mkdir()
    rng, rows = np.random.default_rng(7), ["image,score,split,identity"]
    for number in range(12):
        score = (number % 6 + 1) / 7
        with Image.open(grain(folder / "face.png", rng, score)) as face:
            photo = Image.new("RGB", (160, 150), (90, 90, 90))
            photo.paste(face, (20, 10))
        photo.save(folder / f"{number}.png")
        split = "val" if number >= 6 else "train"
        rows.append(f"{number}.png,{score:.4f},{split},{people}{number}")
    (folder / "labels.csv").write_text("\n".join(rows))
    return load_manifest(folder / "labels.csv")


def face_of_photos(pixels: Pixels) -> list[Face]:
    """In a photo of `photos_of` the face lies at its upper left; elsewhere see `CentreFace`."""
    if pixels.shape[:2] != (150, 160):
        return CentreFace()(pixels)
    (face,) = CentreFace()(pixels[10:74, 20:68])
    box = Box(*(side + (20, 10)[axis % 2] for axis, side in enumerate(astuple(face.box))))
    return [Face(box, 0.9, tuple((x + 20, y + 10) for x, y in face.points))]


def test_photos_are_learned_and_judged_beside_crops(
    data: Manifest, sets: Sets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detection_cache, "CenterFace", lambda: face_of_photos)
    photos, seen = photos_of(tmp_path / "photos"), []
    made = dsl.ViewMaker.plain_with_landmarks

    def watching(self: dsl.ViewMaker, picture: Framed, rng: np.random.Generator) -> object:
        seen.append((picture.frame.width, picture.score, bool(picture.points)))
        return made(self, picture, rng)

    monkeypatch.setattr(dsl.ViewMaker, "plain_with_landmarks", watching)
    numbers = settings("encoder.fit.steps=0", "core.fit.steps=7", "core.photo_repeats=3")
    out = tmp_path / "run"
    figures = dsl.run(numbers, data, [], sets[1], out, photos=photos)
    assert list(figures) == ["map", "crops", "photos", "val_score"]
    assert figures["val_score"] == pytest.approx((figures["crops"] + figures["photos"]) / 2)
    # a pass: 16 crops and 3 times 6 photos, in batches of 6
    first = Counter(score for _, score, _ in seen[:34])
    shown = Counter(photos.where(split="train").labels().tolist())
    assert {score: first[score] for score in shown} == dict.fromkeys(shown, 3)
    assert all(points for _, _, points in seen)
    run = load_run(out)
    assert [one["pictures"] for one in run.settings["data"]] == [16, 6, 5]
    val = photos.where(split="val")
    scored = predict_with(open_run_predictor(out), val, "auto", detector=face_of_photos)
    assert figures["photos"] == pytest.approx(challenge(scored.scores, val.labels()), abs=2e-3)


def test_photos_with_leaks_or_without_labels_are_refused(
    data: Manifest, sets: Sets, tmp_path: Path
) -> None:
    photos = photos_of(tmp_path / "photos")
    numbers = settings("encoder.fit.steps=0", "core.fit.steps=1")
    for wrong, message in (
        (replace(photos, scores=None), "score"),
        (photos.where(split="train"), "no rows with split 'val'"),
    ):
        with pytest.raises(UsageError, match=message):
            dsl.run(numbers, data, [], sets[1], tmp_path / "run", photos=wrong)
    shutil.copy(photos.paths[0], photos.paths[11])
    with pytest.raises(UsageError, match="leaks between splits: 1"):
        dsl.run(numbers, data, [], sets[1], tmp_path / "run", photos=photos)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_dense_landmarks_reach_the_network_and_the_scorer(
    data: Manifest, sets: Sets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = settings("core.landmarks=24", "encoder.fit.steps=0", "core.fit.steps=1")
    folder = tmp_path / "set" / "img"
    folder.mkdir(parents=True)
    for path in (*data.paths, data.source):
        shutil.copy(path, folder)
    data = load_manifest(folder / "labels.csv")
    with pytest.raises(UsageError, match=r"no picture has dense landmarks; expected x/landmark/1"):
        dsl.run(numbers, data, [], sets[1], tmp_path / "run")
    rng = np.random.default_rng(3)
    for path in data.paths:
        file = landmark_path(path)
        file.parent.mkdir(exist_ok=True)
        np.save(file, rng.uniform(0, 48, (30, 2)))
    seen = []
    forward = DslFiqa.forward

    def watching(self: DslFiqa, x: torch.Tensor, landmarks: torch.Tensor) -> torch.Tensor:
        seen.append(landmarks.abs().max(1).values)
        assert landmarks.shape == (len(x), 24)
        return forward(self, x, landmarks)

    monkeypatch.setattr(DslFiqa, "forward", watching)
    dsl.run(numbers, data, [], sets[1], tmp_path / "run")
    assert all((values[:6] > 0.9).all() for values in seen)  # degraded clean faces have none
    monkeypatch.undo()
    run = load_run(tmp_path / "run")
    assert run.spec.dense_landmarks == 24
    with torch.no_grad():  # so that they count: at first the branch has hardly any effect
        run.network.core.confidence[3].weight.mul_(300)
    export_run(run, tmp_path / "scorer", name="dense", data=data)
    scorer = Scorer(tmp_path / "scorer", faces="whole")
    path = data.paths[0]
    told = scorer.score(path).faces[0].score
    landmark_path(path).unlink()
    assert scorer.score(path).faces[0].score != told


@pytest.mark.parametrize(
    ("degradation", "landmarks"), [("query", 0), ("concat", 10), ("none", 10), ("none", 0)]
)
def test_every_row_of_the_ablation_trains(
    data: Manifest, sets: Sets, tmp_path: Path, degradation: str, landmarks: int
) -> None:
    changes = [f"core.degradation={degradation}", f"core.landmarks={landmarks}"]
    numbers = settings(*changes, "encoder.fit.steps=1", "core.fit.steps=1")
    unlabelled = [] if degradation == "none" else sets[0]  # which only the encoder sees
    figures = dsl.run(numbers, data, unlabelled, sets[1], tmp_path / "run")
    network = load_run(tmp_path / "run").network
    assert isinstance(network, DslFiqa)
    assert ("map" in figures) == (network.encoder is not None) == (degradation != "none")
    assert (network.core.guide is not None) == (landmarks == 10)


@pytest.mark.parametrize(
    ("learns", "losses"), [("s_r_s", "s_r_s"), ("r_s_r", "r_s_r"), ("patches", "patches")]
)
def test_encoders_to_compare_with(
    data: Manifest, sets: Sets, tmp_path: Path, learns: str, losses: str
) -> None:
    numbers = settings(f"encoder.learns={learns}", "core.fit.steps=1")
    dsl.run(numbers, data, *sets, tmp_path / "run")
    logged = first_losses(tmp_path / "run" / "encoder")
    assert {name for name in logged if not name.startswith("entropy")} == {losses}


def test_an_earlier_encoder_is_taken_as_it_is(data: Manifest, sets: Sets, tmp_path: Path) -> None:
    first = tmp_path / "first"
    dsl.run(settings("core.fit.steps=1"), data, *sets, first)
    earlier = load_run(first / "encoder")
    expected, record = earlier.network.state_dict(), ("command", "commit", "data")
    for place in (first, first / "encoder"):
        out = tmp_path / f"from_{place.name}"
        numbers = settings(f"encoder.init_from={place}", "encoder.fit.steps=0", "core.fit.steps=1")
        dsl.run(numbers, data, [], sets[1], out)
        assert not (out / "encoder").exists()
        run = load_run(out)
        network = run.network
        assert run.settings["encoder_run"] == {name: earlier.settings[name] for name in record}
        assert isinstance(network, DslFiqa) and network.encoder is not None
        for name, value in network.encoder.state_dict().items():
            assert torch.equal(value, expected[name])


def test_the_core_can_begin_with_an_earlier_backbone(
    data: Manifest, sets: Sets, tmp_path: Path
) -> None:
    for name in ("shufflenet_v2_x0_5", "mobilenet_v3_small"):
        torch.manual_seed(5)
        before = Regressor(name)
        save_run(
            tmp_path / name,
            system="toy",
            network=before,
            config=before.config,
            spec=PreprocessSpec(48, 64),
            settings={},
        )
    numbers = settings(
        f"core.init_from={tmp_path / 'shufflenet_v2_x0_5'}", "core.fit.steps=1",
        "core.fit.lr=1e-12", "core.fit.ema_decay=0.0",
    )  # fmt: skip
    dsl.run(numbers, data, [], sets[1], tmp_path / "run")
    network, before = (load_run(tmp_path / name).network for name in ("run", "shufflenet_v2_x0_5"))
    assert isinstance(network, DslFiqa) and isinstance(network.core.tokens, dsl.CnnTokens)
    body = network.core.tokens.backbone.state_dict()
    weight = next(name for name in body if name.endswith("weight"))
    assert torch.allclose(body[weight], before.state_dict()[weight], atol=1e-6)
    with pytest.raises(UsageError, match="holds mobilenet_v3_small, not shufflenet_v2_x0_5"):
        dsl.run(
            settings(f"core.init_from={tmp_path / 'mobilenet_v3_small'}", "encoder.fit.steps=0"),
            data,
            [],
            sets[1],
            tmp_path / "other",
        )


def test_training_continues_from_a_whole_network(
    data: Manifest, sets: Sets, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    dsl.run(settings("encoder.fit.steps=1", "core.fit.steps=1"), data, *sets, first)
    start = [f"{part}.init_from={first}" for part in ("encoder", "core")]
    numbers = settings(*start, "encoder.fit.steps=0", "core.fit.steps=1", "core.fit.lr=1e-60")
    dsl.run(apply_overrides(numbers, ["core.fit.ema_decay=0.0"]), data, [], sets[1], second)
    before, after = (load_run(folder).network for folder in (first, second))
    learned = dict(after.named_parameters())
    assert all(torch.equal(value, learned[name]) for name, value in before.named_parameters())
    with pytest.raises(UsageError, match="its core has decoder_width 8, not 16"):
        dsl.run(settings(*start, "core.decoder_width=16"), data, [], sets[1], tmp_path / "third")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("encoder.learns=all", r"encoder\.learns: expected .*both.*patches.*, got 'all'"),
        ("core.degradation=some", r"core\.degradation: expected .*query.*none.*, got 'some'"),
        ("core.landmarks=5", r"core: expected landmarks to be 0, 10 or more than 10, got 5"),
        ("encoder.channels=[]", "either channels or a backbone"),
        ("core.backbone=vgg", r"core\.backbone: expected vit_base_patch16_384, .*, got 'vgg'"),
        ("encoder.backbone=swin_b", r"encoder\.backbone: expected .*, got 'swin_b'"),
        ("core.decoder_heads=3", "decoder_width to be divided by its 3 heads, got 8"),
        ("encoder.start=x", r"encoder\.start.*now 'encoder\.init_from"),
        ("encoder.body=x", r"encoder\.body.*now 'encoder\.init_from"),
        ("core.weights=x", r"core\.weights.*now 'core\.init_from"),
        ("judge.faces=3", r"judge\.faces.*now 'retrieval\.people"),
        (
            "encoder.plan.spoilt=0.5",
            r"plan\.spoilt.*now 'encoder\.plan\.degraded_fraction",
        ),
        ("core.fit.average=0.5", r"core\.fit\.average.*now 'core\.fit\.ema_decay"),
        ("core.fit.precision=no", "'no' is now 'fp32'"),
    ],
)
def test_wrong_settings_are_named(change: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        settings(change)


@pytest.mark.parametrize("preset", ["cpu", "paper"])
def test_presets_are_complete_and_their_lists_become_plain_again(preset: str) -> None:
    config = load_preset("dsl_fiqa", preset)
    assert from_dict(DslFiqaConfig, to_dict(config)) == config


@pytest.mark.slow
def test_killed_and_resumed_ends_the_same(
    data: Manifest, sets: Sets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    dsl.run(settings(), data, *sets, whole)
    update, calls = fitting.update_ema, {"left": 0}

    def dying(*args: object) -> None:
        calls["left"] -= 1
        if calls["left"] < 0:
            raise KeyboardInterrupt
        update(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(fitting, "update_ema", dying)
    for left in (2, 4):  # the encoder takes 4 in all: one kill in each stage
        calls["left"] = left
        with pytest.raises(KeyboardInterrupt):
            dsl.run(settings(), data, *sets, cut, resume=True)
    monkeypatch.setattr(fitting, "update_ema", update)
    dsl.run(settings(), data, *sets, cut, resume=True)
    expected, got = (load_run(folder).network.state_dict() for folder in (whole, cut))
    for name, value in expected.items():
        assert torch.allclose(value.float(), got[name].float(), atol=1e-4), name


def test_leaks_are_refused_or_left_out_unless_allowed(
    data: Manifest, sets: Sets, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = sets[1][0].source
    shutil.copy(data.paths[16], folder / "val.png")  # a sharp face that val has too
    sets[1][0] = load_manifest(folder)
    numbers = settings("encoder.fit.steps=1", "core.fit.steps=1")
    for allowed in (False, True):
        out = tmp_path / str(allowed)
        dsl.run(numbers, data, *sets, out, allow_leakage=allowed)
        learned = {one["manifest"]: one["pictures"] for one in load_run(out).settings["data"]}
        assert learned[sets[1][0].name] == 5 + allowed
    (left_out,) = [line for line in caplog.messages if line.startswith("left out")]
    assert "val.png" in left_out
    shutil.copy(data.paths[0], data.paths[16])
    with pytest.raises(UsageError, match="leaks between splits: 1"):
        dsl.run(numbers, data, *sets, tmp_path / "refused")
    assert not (tmp_path / "refused").exists()


def test_the_paper_preset_has_the_papers_numbers() -> None:
    paper = load_preset("dsl_fiqa", "paper")
    encoder, core = paper.encoder, paper.core
    assert (encoder.channels, encoder.grid) == ((64, 128, 256), (8, 12))
    assert (encoder.plan.degraded, encoder.plan.real) == (16, 256)
    assert encoder.fit.lr == 3e-5 and encoder.temperature == 1.0
    assert core.backbone == "vit_base_patch16_384" and core.loss == "charbonnier"
    assert core.corr_weight == 0 and core.fit.lr == 1e-5
    assert core.fit.epochs == encoder.fit.epochs == 100
    assert core.fit.optimiser == encoder.fit.optimiser == "adam"
    assert core.plan.labelled == 16
