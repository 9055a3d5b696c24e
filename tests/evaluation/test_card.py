"""Calibration to photos: what changes on a card, and what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from commands import run
from facegauge import Scorer, zoo
from facegauge.cli.app import app
from facegauge.data.manifests import load_manifest
from facegauge.errors import UsageError
from facegauge.evaluation.card import calibrate_scorer, card_figures
from facegauge.evaluation.metrics import evaluate

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = ("", "_blur", "_dark", "_jpeg", "_noise", "_small")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Six photos of one face, five of them in val."""
    lines = ["image,score,split"]
    for place, name in enumerate(NAMES):
        shutil.copy(EXAMPLES / f"astronaut{name}.jpg", tmp_path)
        lines.append(f"astronaut{name}.jpg,0.{9 - place},{'val' if place else 'train'}")
    (tmp_path / "photos.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "photos.csv"


def test_a_copy_is_calibrated_to_photos(toy_scorer: Path, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    card = calibrate_scorer(str(toy_scorer), out, load_manifest(photos))
    assert zoo.load_card(out) == card
    assert (out / zoo.MODEL).read_bytes() == (toy_scorer / zoo.MODEL).read_bytes()
    assert card.photos is not None and card.photos.n == 5
    assert (card.calibration.reference, card.calibration.n) == ("scores of 6 photos", 6)
    assert card.val == zoo.load_card(toy_scorer).val
    (before,), (after,) = (
        Scorer(folder).score(EXAMPLES / "astronaut.jpg").faces for folder in (toy_scorer, out)
    )
    assert after.score == before.score
    assert (after.low, after.high) == (0.0, 1.0)  # five photos exclude nothing
    scores = [Scorer(out).score(file).score for file in load_manifest(photos).paths]
    rank = np.searchsorted(sorted(scores), after.score)
    assert after.percentile == pytest.approx(100 * rank / 5, abs=0.01)


def test_crops_keep_an_interval_of_their_own(
    toy_scorer: Path, photos: Path, tmp_path: Path
) -> None:
    rng = np.random.default_rng(3)
    from PIL import Image

    lines = ["image,score,split"]
    for number in range(60):
        level = int(rng.integers(60, 200))
        Image.new("RGB", (24, 32), (level,) * 3).save(tmp_path / f"{number}.png")
        lines.append(f"{number}.png,{level / 255 + rng.uniform(-0.05, 0.05):.4f},val")
    (tmp_path / "crops.csv").write_text("\n".join(lines) + "\n")
    crops = load_manifest(tmp_path / "crops.csv")
    card = calibrate_scorer(str(toy_scorer), tmp_path / "out", load_manifest(photos), crops=crops)
    low, high = card.calibration.interval(0.5, whole=True)
    assert 0.44 < low < 0.5 < high < 0.56
    whole = Scorer(tmp_path / "out", faces="whole").score(tmp_path / "0.png").faces[0]
    assert (whole.low, whole.high) == card.calibration.interval(whole.score, whole=True)
    photo = Scorer(tmp_path / "out").score(EXAMPLES / "astronaut.jpg").faces[0]
    assert (photo.low, photo.high) == card.calibration.interval(photo.score) == (0, 1)


def test_a_copy_has_its_name_and_tables_of_its_own(
    toy_scorer: Path, crops: Path, tmp_path: Path
) -> None:
    copy, other = tmp_path / "copy", tmp_path / "other"
    words = ["calibrate", toy_scorer, "--data", crops]
    assert run(*words, "-o", copy).exit_code == 0
    assert run(*words, "-o", other, "--name", "ours").exit_code == 0
    assert [zoo.load_card(one).name for one in (copy, other)] == ["toy-calibrated", "ours"]
    assert run("calibrate", copy, "--data", crops, "-o", tmp_path / "2").exit_code == 0
    assert zoo.load_card(tmp_path / "2").name == "toy-calibrated"
    table = tmp_path / "t.csv"
    scored = ["score", crops.parent / "0.png", "--faces", "whole", "-o", table, "--scorer"]
    assert run(*scored, toy_scorer).exit_code == 0
    refused = run(*scored, copy, "--resume")
    assert refused.exit_code == 2 and "another calibration" in refused.stderr
    assert run(*scored, toy_scorer, "--resume").exit_code == 0
    assert run(*scored, copy, "--overwrite").exit_code == 0
    assert run(*scored, other, "--resume").exit_code == 0  # the same scores and intervals

    notes = table.with_name("t.csv.settings.json")
    earlier = json.loads(notes.read_text())
    assert earlier["settings"]["scorer"] == "ours"
    del earlier["settings"]["calibration"]  # as version 0.2 wrote it
    notes.write_text(json.dumps(earlier))
    assert run(*scored, other, "--resume").exit_code == 0


def test_shards_of_a_scorer_and_of_its_copy_are_not_merged(
    toy_scorer: Path, crops: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    assert run("calibrate", toy_scorer, "--data", crops, "-o", copy).exit_code == 0
    parts = [tmp_path / "1.csv", tmp_path / "2.csv"]
    for number, (part, scorer) in enumerate(zip(parts, (toy_scorer, copy), strict=True), 1):
        words = ["score", crops.parent, "--faces", "whole", "--scorer", scorer, "-o", part]
        assert run(*words, "--shard", f"{number}/2").exit_code == 0
    refused = run("merge", tmp_path / "all.csv", *parts)
    assert refused.exit_code == 2 and "calibration was" in refused.stderr
    assert not (tmp_path / "all.csv").exists()


def test_the_command_and_its_refusals(toy_scorer: Path, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["calibrate", str(toy_scorer), "--photos", str(photos), "-o", str(out)]
    told = CliRunner().invoke(app, words)
    assert told.exit_code == 0 and "on 5 photos" in told.output
    with pytest.raises(UsageError, match="is in use"):
        calibrate_scorer(str(toy_scorer), out, load_manifest(photos))
    train = photos.with_name("train.csv")
    train.write_text(photos.read_text().replace("val", "train"))
    with pytest.raises(UsageError, match="expected val rows with a face, got none"):
        calibrate_scorer(str(toy_scorer), tmp_path / "other", load_manifest(train))
    assert not (tmp_path / "other").exists()


@pytest.fixture
def crops(tmp_path: Path, grey: Callable[..., Path]) -> Path:
    """Forty framed faces without splits; labels are their toy scores and noise."""
    rng = np.random.default_rng(5)
    lines = ["image,score"]
    for number in range(40):
        level = int(rng.integers(60, 200))
        grey(f"{number}.png", level, (24, 32))
        lines.append(f"{number}.png,{level / 255 + rng.uniform(-0.05, 0.05):.4f}")
    (tmp_path / "crops.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "crops.csv"


def test_framed_faces_alone_are_enough(toy_scorer: Path, crops: Path, tmp_path: Path) -> None:
    """Without splits, all pictures are for the interval; the scores stay as they are."""
    out = tmp_path / "out"
    words = ["calibrate", str(toy_scorer), "--data", str(crops), "-o", str(out)]
    told = CliRunner().invoke(app, [*words, "--label-name", "MOS"])
    assert told.exit_code == 0 and "on 40 pictures" in told.output
    card = zoo.load_card(out)
    assert (card.val.n, card.val.label, card.photos) == (40, "MOS", None)
    assert card.val.figures["srcc"].value > 0.9
    assert card.calibration.reference == "scores of 40 pictures" and card.calibration.whole is None
    for whole in (True, False):
        low, high = card.calibration.interval(0.5, whole=whole)
        assert 0.44 < low < 0.5 < high < 0.56
    with pytest.raises(UsageError, match="--photos, --data"):
        calibrate_scorer(str(toy_scorer), tmp_path / "other")


def test_exporting_a_finished_scorer_says_how_it_is_recalibrated(
    toy_scorer: Path, crops: Path, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    for scorer in ("mobile", str(toy_scorer)):
        words = ["export", scorer, "--data", str(crops), "-o", str(tmp_path / "out")]
        told = CliRunner().invoke(app, words)
        assert told.exit_code == 2 and told.stderr.count("\n") == 1
        assert f"facegauge calibrate {scorer} --data {crops} -o {tmp_path / 'out'};" in told.stderr
        assert f"facegauge finetune --start {scorer}" in told.stderr


def test_what_moves_the_scores_of_photos_is_fitted_where_there_are_enough(
    toy_scorer: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = calibrate_scorer(str(toy_scorer), tmp_path / "few", load_manifest(photos))
    assert card.attribution is None
    for module in ("card", "attribution"):
        monkeypatch.setattr(f"facegauge.evaluation.{module}.LEAST", 5)
    card = calibrate_scorer(str(toy_scorer), tmp_path / "out", load_manifest(photos))
    assert zoo.load_card(tmp_path / "out") == card
    assert card.attribution is not None and card.attribution.n == 5
    assert {"sharpness", "exposure"} <= set(card.attribution.curves)
    scores = [Scorer(tmp_path / "out").score(file).score for file in load_manifest(photos).paths]
    assert card.attribution.mean == pytest.approx(np.mean(scores[1:]), abs=1e-5)


@pytest.mark.parametrize("n", [3, 5, 6, 8, 12])
def test_cards_of_few_pictures_have_figures_with_intervals(n: int) -> None:
    """Of some, too many resamples are undefined: then the interval is all that there can be."""
    for seed in range(6):
        rng = np.random.default_rng(seed)
        labels = rng.permutation(np.linspace(0.1, 0.9, n))
        labels[: n // 2] = labels[0]
        figures = card_figures(evaluate(rng.uniform(size=n), labels))
        assert {"srcc", "plcc", "rmse"} <= figures.keys()
        for name, one in figures.items():
            least = 0 if name == "rmse" else -1
            assert least <= one.low <= one.value <= one.high <= 1, name
