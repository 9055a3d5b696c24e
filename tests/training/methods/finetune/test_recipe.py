"""Fine-tuning from end to end on toy data: what is kept, what folders hold, what is refused."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

torch = pytest.importorskip("torch")

from facegauge import zoo  # noqa: E402
from facegauge.cli import app  # noqa: E402
from facegauge.data.leakage import check_leakage  # noqa: E402
from facegauge.data.manifests import load_manifest  # noqa: E402
from facegauge.errors import UsageError  # noqa: E402
from facegauge.evaluation.logistic import FittedCurve  # noqa: E402
from facegauge.evaluation.metrics import plcc, srcc  # noqa: E402
from facegauge.evaluation.predictions import predict  # noqa: E402
from facegauge.nn.checkpoints import load_run  # noqa: E402
from facegauge.nn.predictor import predict_views  # noqa: E402
from facegauge.training.config import apply_overrides, load_config, load_preset  # noqa: E402
from facegauge.training.inputs.pictures import load_framed, sampled  # noqa: E402
from facegauge.training.methods.finetune import recipe  # noqa: E402
from facegauge.training.methods.finetune.config import FinetuneConfig  # noqa: E402
from sized_toys import sized_run  # noqa: E402
from toys import killed_at, write_manifest  # noqa: E402

SHORT = [
    *("workers=0", "faces=whole", "passes=2", "frozen.views=2", "frozen.folds=2"),
    *("plan.labelled=10", "plan.groups=1", "plan.copies=2", "fit.warmup=0", "fit.lr=1e-5"),
]


def settings(start: object, *changes: str) -> FinetuneConfig:
    pairs = [f"start={start}", *SHORT, *changes]
    config: FinetuneConfig = apply_overrides(load_preset("finetune", "cpu"), pairs)
    return config


@pytest.fixture(scope="module")
def rated(toy_data: Path) -> Path:
    """The toy pictures without a split, rated 1 to 5, of people of three pictures each."""
    rows = list(csv.DictReader(toy_data.open()))
    file = toy_data.parent / "rated.csv"
    return write_manifest(
        file,
        [
            {
                "image": row["image"],
                "score": round(1 + 4 * float(row["score"]) ** 2, 3),
                "person": f"p{number // 3}",
            }
            for number, row in enumerate(rows)
        ],
    )


def test_the_best_on_val_is_kept_and_is_never_worse_than_the_curve(
    toy_run: Path, toy_data: Path, tmp_path: Path
) -> None:
    data, out = load_manifest(toy_data), tmp_path / "run"
    figures = recipe.run(settings(toy_run), data, out)
    assert set(figures) == {"curve", "head", "all", "kept"}
    assert figures["kept"]["val_score"] == max(one["val_score"] for one in figures.values())
    # pixels' brightness is in the features, and not in the scores of a random start
    assert figures["head"]["srcc"] > max(0.8, figures["curve"]["srcc"] + 0.1)
    val = data.where(split="val")
    scores = predict(out, val).scores
    assert srcc(scores, val.labels()) == pytest.approx(figures["kept"]["srcc"], abs=1e-3)
    assert plcc(scores, val.labels()) == pytest.approx(figures["kept"]["plcc"], abs=1e-2)
    logged = [json.loads(line) for line in (out / "all" / "log.jsonl").read_text().splitlines()]
    assert {row["step"] for row in logged if "srcc" in row} == {3, 6}  # after each of two passes
    again = recipe.run(settings(toy_run), data, out, resume=True)
    assert all(again[name] == pytest.approx(figures[name], abs=1e-6) for name in figures)


def test_where_training_harms_the_curve_is_kept_and_that_is_said(
    toy_run: Path,
    toy_data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")

    def harmed(context: object, curved: torch.nn.Module, *rest: object) -> torch.nn.Module:
        worse = load_run(toy_run).network
        for weight in worse.parameters():
            torch.nn.init.zeros_(weight)
        return type(curved)(worse, curved.curve.tolist())

    monkeypatch.setattr(recipe, "fit_head", harmed)
    monkeypatch.setattr(recipe, "train_all", harmed)
    data, out = load_manifest(toy_data), tmp_path / "run"
    figures = recipe.run(settings(toy_run), data, out)
    assert figures["kept"] == figures["curve"]
    assert "no training was better on val than the start with a refitted curve" in caplog.text
    start, kept = (predict(folder, data).scores for folder in (toy_run, out))
    order = np.argsort(start)
    assert (np.diff(kept[order]) >= -1e-6).all() or (np.diff(kept[order]) <= 1e-6).all()
    assert load_run(out).system == "ensemble, fine-tuned"


@pytest.mark.slow
def test_as_typed_from_ratings_to_a_scorer(toy_run: Path, rated: Path, tmp_path: Path) -> None:
    out, scorer = tmp_path / "run", tmp_path / "scorer"
    sets = [word for pair in SHORT for word in ("--set", pair)]
    words = [
        *("finetune", "--start", toy_run, "--data", rated, "-o", out, "--scale", "1,5"),
        *("--label-name", "MOS", *sets),
    ]
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    assert "labels from 1 to 5 become 0 to 1" in result.stderr
    assert f"facegauge export {out} -o SCORER" in result.stderr
    assert load_config(out / "config.toml").labels.name == "MOS"
    kept = load_manifest(out / "labels.csv")
    assert set(kept.splits) == {"train", "val"} and check_leakage(kept) == []
    assert kept.scores.max() <= 1

    run = load_run(out)
    assert run.settings["data"][0] == {"manifest": "toy/labels.csv", "pictures": 90}
    words = ["export", out, "-o", scorer, "--data", out / "labels.csv"]
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    card = zoo.load_card(scorer)
    assert card.val.label == "MOS, 1 to 5 as 0 to 1"
    assert "toy/labels.csv" in card.data.trained_on and "rated.csv" in card.data.trained_on
    result = CliRunner().invoke(app, ["score", str(kept.paths[0]), "--scorer", str(scorer)])
    assert result.exit_code in (0, 3), result.output

    # from a fine-tuned scorer, its network is taken and the curve is fitted anew
    again = recipe.run(settings(scorer), kept, tmp_path / "again")
    assert np.isfinite(again["kept"]["srcc"])
    assert load_run(tmp_path / "again").config["network"]["kind"] == "ensemble"


def test_a_start_that_is_told_sizes_is_tuned_without_them(toy_data: Path, tmp_path: Path) -> None:
    """The curve, the head and all layers learn the scores of faces whose size is not known."""
    data, out = load_manifest(toy_data), tmp_path / "run"
    figures = recipe.run(settings(sized_run(tmp_path / "start"), "passes=1"), data, out)
    assert set(figures) == {"curve", "head", "all", "kept"}
    assert figures["head"]["val_score"] > figures["curve"]["val_score"]
    run, val = load_run(out), data.where(split="val")
    views = sampled(load_framed(val, run.spec, "whole"), run.spec)
    scores = predict_views(run.network, run.spec, views)  # not clipped: this start is steep
    assert srcc(scores, val.labels()) == pytest.approx(figures["kept"]["srcc"], abs=1e-3)
    assert run.config["network"]["kind"] == "sized_regressor"


@pytest.mark.slow
def test_a_stopped_run_goes_on(toy_run: Path, toy_data: Path, tmp_path: Path) -> None:
    data, config = load_manifest(toy_data), settings(toy_run, "fit.save_every=1")
    expected = recipe.run(config, data, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt), killed_at("step 3/6"):
        recipe.run(config, data, tmp_path / "run")
    resumed = recipe.run(config, data, tmp_path / "run", resume=True)
    assert all(resumed[name] == pytest.approx(expected[name], abs=1e-5) for name in expected)


def test_training_ends_early_where_val_does_not_improve(
    toy_run: Path, toy_data: Path, tmp_path: Path
) -> None:
    config = settings(toy_run, "passes=50", "fit.lr=0", "fit.patience=2", "fit.weight_decay=0")
    recipe.run(config, load_manifest(toy_data), tmp_path / "run")
    rows = (tmp_path / "run" / "all" / "log.jsonl").read_text().splitlines()
    assert json.loads(rows[-1])["step"] == 9  # the first validation and two that are no better


@pytest.mark.parametrize("steep", [False, True])
def test_what_is_trained_further_is_no_step(
    toy_run: Path,
    toy_data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    steep: bool,
) -> None:
    """Few labels may give a curve that is nearly a step; it is judged, and a line is trained."""
    deviation = 0.0179
    width = (0.1 if steep else 0.5) * deviation
    fitted = FittedCurve((0.9, 0.1, 0.53, width))
    monkeypatch.setattr(recipe, "fit_logistic", lambda *_: fitted)
    monkeypatch.setattr(recipe, "raw_scores", lambda *_: 0.53 + deviation * np.linspace(-2, 2, 30))
    context = SimpleNamespace(
        maker=SimpleNamespace(pictures=[SimpleNamespace(score=s) for s in np.linspace(0, 1, 30)])
    )
    curve, trained = recipe.fit_curve(context, load_run(toy_run).network)
    assert curve.curve.tolist() == pytest.approx(fitted.logistic)
    assert (trained is not curve) == steep and len(trained.curve) == (2 if steep else 4)
    if steep:
        assert trained.bend(torch.tensor([0.53]))[0].item() == pytest.approx(0.5, abs=1e-5)


@pytest.mark.parametrize(
    ("start", "message"),
    [("nothing", "start: there is no 'nothing'"), ("imagenet", "start: there is no 'imagenet'")],
)
def test_what_is_no_start_is_refused(
    toy_data: Path, tmp_path: Path, start: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        recipe.run(settings(start), load_manifest(toy_data), tmp_path / "run")


def test_labels_that_teach_nothing_are_refused(
    toy_run: Path, toy_data: Path, tmp_path: Path
) -> None:
    data = load_manifest(toy_data)
    bare = replace(data, splits=None)
    leaking = replace(data, groups={"person": ("p",) * len(data)})
    flat = replace(data, scores=np.full(len(data), 0.5))
    for wrong, message in (
        (bare.take(range(5)), "has 5 labelled pictures; fine-tuning needs 25 or more"),
        (flat, "all 90 labels of .* are equal"),
        (replace(data, scores=None), "no column score"),
        (leaking, "leaks between splits"),
        (data.where(split="train"), "no rows with split 'val'"),
    ):
        with pytest.raises(UsageError, match=message):
            recipe.run(settings(toy_run), wrong, tmp_path / "run")
        assert not (tmp_path / "run").exists()


def test_labels_that_run_the_other_way_are_named(
    toy_run: Path, toy_data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = load_manifest(toy_data)
    scores = predict(toy_run, data).scores
    turned = replace(data, scores=np.clip(0.5 - 5 * (scores - scores.mean()), 0, 1))
    recipe.run(settings(toy_run, "fit.steps=0"), turned, tmp_path / "run")
    assert "--scale 5,1" in caplog.text
