"""Predictions for manifests: members, unscored pictures, crops, landmarks; and their report."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from facegauge.data.manifests import load_manifest  # noqa: E402
from facegauge.errors import UsageError  # noqa: E402
from facegauge.evaluation.evaluate import report  # noqa: E402
from facegauge.evaluation.metrics import srcc  # noqa: E402
from facegauge.evaluation.predictions import predict, predict_with  # noqa: E402
from facegauge.faces.spec import PreprocessSpec  # noqa: E402
from facegauge.labelling.label import label  # noqa: E402
from facegauge.nn.predictor import TorchPredictor, open_run_predictor  # noqa: E402
from facegauge.results import Box, Face  # noqa: E402
from toys import ToyPredictor  # noqa: E402

SMALL = PreprocessSpec(width=16, height=20)


@pytest.fixture(scope="module")
def data(toy_data):
    return load_manifest(toy_data)


class Bright(torch.nn.Module):
    """Scores the mean of the red channel; knows nothing else."""

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.tensor(0.2))

    def forward(self, x):
        return 0.5 + self.scale * x[:, 0].mean((1, 2))


def test_predictions_do_not_depend_on_the_batch_size_and_members_average(toy_run, data):
    run, some = open_run_predictor(toy_run), data.take(np.arange(7))
    one, many = (predict_with(run, some, batch_size=size) for size in (1, 64))
    assert one.scores == pytest.approx(many.scores, abs=1e-6)
    assert list(one.members) == ["mobilenet_v3_small", "shufflenet_v2_x0_5"]
    assert np.mean(list(one.members.values()), axis=0) == pytest.approx(one.scores, abs=1e-6)


def test_unreadable_pictures_are_named_and_left_out(data, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no picture")
    rows = "".join(f"{path},{score}\n" for path, score in zip(data.paths, data.scores, strict=True))
    (tmp_path / "list.csv").write_text(f"image,score\n{rows}bad.png,0.5\n")
    manifest = load_manifest(tmp_path / "list.csv")
    found = predict_with(TorchPredictor("toy", Bright(), SMALL), manifest, batch_size=8)
    assert list(found.unscored) == [90] and np.isnan(found.scores[90])
    judged = report(manifest, found, resamples=50)
    assert judged.figures["score"].n == 90 and judged.figures["score"].srcc.value > 0.8
    assert list(judged.unscored) == [str(tmp_path / "bad.png")]


def test_what_is_not_a_number_is_named_and_left_out(data):
    class Picky(Bright):
        def forward(self, x):
            scores = super().forward(x)
            return torch.where(torch.arange(len(x)) == 1, torch.nan, scores)

    found = predict_with(TorchPredictor("toy", Picky(), SMALL), data.take([0, 1, 2]))
    assert found.unscored == {1: "the scorer's network returned a value that is not a number"}


def test_auto_leaves_out_what_scoring_leaves_out(data, monkeypatch):
    def found(pixels):
        return [Face(Box(0, 0, 23, 30), 0.9, ((5, 5),) * 5)]

    monkeypatch.setattr("facegauge.faces.extraction.CenterFace", lambda **_: found)
    judged = predict_with(TorchPredictor("toy", Bright(), SMALL), data.take([0]), "auto")
    assert judged.unscored == {0: "the largest face is 23 px, the minimum is 24 px"}


def test_a_run_and_its_scorer_take_the_same_crops(make_scorer, tmp_path):
    spec = PreprocessSpec(width=24, height=32, mean=(0, 0, 0), std=(1, 1, 1), crops=3)
    rng = np.random.default_rng(0)
    for number, size in enumerate([(48, 64), (60, 80), (24, 32)]):
        Image.fromarray(rng.integers(0, 256, (*size[::-1], 3), np.uint8)).save(
            tmp_path / f"{number}.png"
        )
    (tmp_path / "list.csv").write_text("image,score\n0.png,0.1\n1.png,0.2\n2.png,0.3\n")
    manifest = load_manifest(tmp_path / "list.csv")

    class Mean(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(()))

        def forward(self, x):
            return self.scale * x.mean((1, 2, 3))

    mean = TorchPredictor("mean", Mean(), spec)
    labels = [one.raw for one in label(mean, manifest, faces="whole")]
    by_torch = predict_with(mean, manifest, batch_size=2).scores
    np.testing.assert_allclose(labels, by_torch, atol=1e-6)
    shipped = predict(make_scorer(spec=spec), manifest).scores
    plain = predict_with(
        TorchPredictor("mean", Mean(), replace(spec, crops=1)), manifest, batch_size=2
    ).scores
    np.testing.assert_allclose(by_torch, shipped, atol=1e-6)
    assert by_torch[2] == plain[2] and (by_torch[:2] != plain[:2]).all()


def test_a_report_holds_groups_and_differences(data, toy_run):
    bright = predict_with(TorchPredictor("toy", Bright(), SMALL), data)
    random = predict_with(open_run_predictor(toy_run), data)
    judged = report(data, bright, by=["colour"], other=random, resamples=50, label_name="rating")
    assert {gap.name: gap.n for gap in judged.groups["colour"]} == {"blue": 45, "red": 45}
    difference = judged.differences["srcc"]
    expected = srcc(bright.scores, data.scores) - srcc(random.scores, data.scores)
    assert difference.value == pytest.approx(expected) and difference.n == 90
    assert judged.to_dict()["label"] == "rating"


def test_auto_finds_no_face_in_colours(data, toy_run):
    some = data.take(np.arange(3))
    found = predict_with(open_run_predictor(toy_run), some, "auto")
    assert np.isnan(found.scores).all()
    assert set(found.unscored.values()) == {"no face found (searched for faces of 24 px and more)"}
    with pytest.raises(UsageError, match="none of the 3 pictures has a score"):
        report(some, found)
    with pytest.raises(UsageError, match="faces must be whole or auto"):
        predict_with(open_run_predictor(toy_run), some, "largest")


def test_what_is_infinite_has_no_score(data):
    found = predict_with(
        ToyPredictor("huge", "", SMALL, lambda images: np.full(len(images), np.inf)),
        data.take([0]),
    )
    assert np.isnan(found.scores).all() and "not a number" in found.unscored[0]
