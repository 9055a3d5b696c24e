"""The map to other labels: fitted, kept in the card, applied everywhere, and measured elsewhere."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from commands import run
from facegauge import Scorer, zoo
from facegauge.calibration import ScoreMap
from facegauge.data.manifests import load_manifest
from facegauge.errors import MissingExtra, ScorerError, UsageError
from facegauge.evaluation.card import Measured, calibrate_scorer
from facegauge.evaluation.predictions import predict
from facegauge.evaluation.score_map import fit_map
from toys import write_manifest


def truth(scores: np.ndarray) -> np.ndarray:
    """What the labels of these tests are: steep in the middle."""
    return 0.1 + 0.8 / (1 + np.exp(-(scores - 0.5) / 0.08))


@pytest.mark.parametrize("kind", ["isotonic", "logistic"])
def test_a_map_finds_the_curve_and_keeps_the_order(kind: str) -> None:
    rng = np.random.default_rng(0)
    scores = rng.uniform(0.2, 0.8, 2000)
    found = fit_map(scores, np.clip(truth(scores) + rng.normal(0, 0.03, 2000), 0, 1), kind)
    places = np.linspace(0.25, 0.75, 50)
    assert found.kind == kind and np.abs(found(places) - truth(places)).max() < 0.03
    inside = found(np.linspace(0.25, 0.75, 500))
    assert (np.diff(inside) > 0).all()  # different scores stay different
    assert (np.diff(found(np.linspace(0, 1, 500))) >= 0).all()
    assert found.knots[0] == 0 and found.knots[-1] == 1 and len(found.knots) < 400
    assert np.isnan(found([np.nan])).all() and found([-1.0, 2.0]).tolist() == [
        found.values[0],
        found.values[-1],
    ]


def test_isotonic_by_hand() -> None:
    """Two rising blocks of ten pictures each, one with labels in disorder."""
    scores = np.concatenate([np.linspace(0.2, 0.29, 10), np.linspace(0.6, 0.69, 10)])
    labels = np.concatenate([np.linspace(0.4, 0.2, 10), np.linspace(0.8, 0.7, 10)])
    found = fit_map(scores, labels)
    assert found.knots == pytest.approx((0, 0.245, 0.645, 1))
    assert found.values == pytest.approx((0.3 - 0.245, 0.3, 0.75, 1))  # 0.75 + 0.355 is above 1


def test_what_cannot_be_mapped_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    rising = np.linspace(0, 1, 30)
    for scores, labels, kind, words in (
        (rising, rising, "line", "expected the map to be one of isotonic, logistic"),
        (rising[:9], rising[:9], "isotonic", "expected 20 pictures or more"),
        (np.full(30, 0.5), rising, "isotonic", "with different scores"),
        (rising, rising[::-1], "isotonic", "the labels do not rise"),
        (rising, rising[::-1], "logistic", "the labels do not rise"),
    ):
        with pytest.raises(UsageError, match=words):
            fit_map(scores, labels, kind)
    for knots, values in (
        ((0, 1), (0, 2)),
        ((0, 1), (0.5, 0.4)),
        ((0.1, 1), (0, 1)),
        ((0, 1), (0,)),
    ):
        with pytest.raises(ValueError, match="expected"):
            ScoreMap("isotonic", knots, values)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"\[report\]"):
        fit_map(rising, rising)


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """400 grey pictures, whose toy score is their brightness; labels by `truth`, with noise."""
    folder = tmp_path_factory.mktemp("crops")
    rng = np.random.default_rng(1)
    rows: list[dict[str, object]] = []
    for number in range(400):
        level = int(rng.integers(40, 220))
        Image.new("RGB", (24, 32), (level,) * 3).save(folder / f"{number}.png")
        label = float(np.clip(truth(np.array(level / 255)) + rng.normal(0, 0.04), 0, 1))
        split = ("train", "train", "val", "val", "test")[number % 5]
        rows.append({"image": f"{number}.png", "score": label, "split": split})
    return write_manifest(folder / "labels.csv", rows)


def test_a_scorer_speaks_in_the_users_labels(
    toy_scorer: Path, crops: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    out, manifest = tmp_path / "out", load_manifest(crops)
    with caplog.at_level(logging.INFO):
        card = calibrate_scorer(
            str(toy_scorer), out, crops=manifest, score_map="isotonic", accept_rate=0.7
        )
    assert card == zoo.load_card(out) and card.map is not None
    assert card.val.n == 160 and card.val.figures["rmse"].value < 0.06  # without a map: 0.2
    assert card.calibration.n == 240  # not the rows that the map was fitted to
    assert "80 pictures of test, which neither the map nor the interval has seen" in caplog.text
    scores = predict(str(out), manifest).scores
    before = predict(str(toy_scorer), manifest).scores
    assert scores == pytest.approx(card.map(before), abs=1e-5)  # tables have six decimals
    rows = manifest.in_split("test")
    assert np.abs(scores[rows] - manifest.labels()[rows]).mean() < 0.05
    assert np.abs(before[rows] - manifest.labels()[rows]).mean() > 0.1
    one = Scorer(out, faces="whole").score(manifest.paths[0])
    assert one.score == pytest.approx(scores[0], abs=1e-6)
    accept, val = card.accept, manifest.in_split("val")
    assert accept is not None and accept.n == 160
    assert np.mean(scores[val] >= accept.score) == pytest.approx(0.7, abs=0.02)


def test_no_smaller_share_than_the_rate_is_accepted() -> None:
    scores = np.array([0.1, 0.2, 0.4, 0.8])
    found = Measured(scores, scores, np.ones(4, bool), np.arange(4)).accept(0.6)
    assert (found.score, found.n) == (0.2, 4)  # from 0.4 on it would be half of them


def test_its_tables_are_not_mixed_with_those_of_the_other(
    toy_scorer: Path, crops: Path, tmp_path: Path
) -> None:
    words = ["calibrate", toy_scorer, "--data", crops, "-o", tmp_path / "out", "--map", "logistic"]
    done = run(*words, "--accept-rate", "0.5")
    assert done.exit_code == 0 and "accept scores of 0." in done.stdout
    pictures, table = crops.parent / "0.png", tmp_path / "t.csv"
    options = ["--faces", "whole", "-o", table]
    assert run("score", pictures, "--scorer", toy_scorer, *options).exit_code == 0
    refused = run("score", pictures, "--scorer", tmp_path / "out", *options, "--resume")
    assert refused.exit_code == 2 and "sha256" in refused.stderr
    again = ["calibrate", tmp_path / "out", "--data", crops, "-o", tmp_path / "two"]
    refused = run(*again, "--map", "logistic")
    assert refused.exit_code == 2 and "are mapped already" in refused.stderr
    refused = run(*words[:-4], "-o", tmp_path / "three", "--accept-rate", "1")
    assert refused.exit_code == 2 and "above 0 and below 1" in refused.stderr
    card = (tmp_path / "out" / "card.toml").read_text().replace("values = [0", "values = [1", 1)
    (tmp_path / "out" / "card.toml").write_text(card)
    with pytest.raises(ScorerError, match="never fall"):
        zoo.load_card(tmp_path / "out")


def test_a_list_without_splits_is_divided(
    toy_scorer: Path, crops: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lines = [line.rsplit(",", 1)[0] for line in crops.read_text().split()[:101]]
    plain = crops.with_name("plain.csv")
    plain.write_text("\n".join(lines) + "\n")
    data = load_manifest(plain)
    with caplog.at_level(logging.INFO):
        card = calibrate_scorer(str(toy_scorer), tmp_path / "o", crops=data, score_map="logistic")
    assert card.map is not None and card.calibration.n < 80 and "pictures of test" in caplog.text
