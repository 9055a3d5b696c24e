"""Export: what lands in a scorer folder, and that nothing lands when something is wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from facegauge import zoo  # noqa: E402
from facegauge.data.manifests import load_manifest  # noqa: E402
from facegauge.errors import ScorerError, UsageError  # noqa: E402
from facegauge.evaluation.metrics import rmse, srcc  # noqa: E402
from facegauge.evaluation.predictions import predict, predict_with, predictions_of  # noqa: E402
from facegauge.evaluation.profile import profile_scorer  # noqa: E402
from facegauge.faces.sampling import PreprocessSpec  # noqa: E402
from facegauge.nn.checkpoints import load_run, save_run  # noqa: E402
from facegauge.nn.predictor import TorchPredictor, open_run_predictor  # noqa: E402
from facegauge.nn.regressor import Regressor  # noqa: E402
from facegauge.scorer import Scorer  # noqa: E402
from facegauge.training import export  # noqa: E402
from facegauge.training.export import export_run  # noqa: E402
from facegauge.training.onnx_export import (  # noqa: E402
    TOLERANCE,
    Shipped,
    check_onnx,
    write_onnx,
)
from facegauge.training.start import load_pretrained  # noqa: E402

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def data(toy_data):
    return load_manifest(toy_data)


@pytest.fixture(scope="module")
def scorer_folder(toy_run, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export") / "toy"
    export_run(load_run(toy_run), folder, name="toy", data=data, licence="test only")
    return folder


def test_the_scorer_scores_like_the_run(scorer_folder, toy_run, data):
    torch_scores = predict_with(open_run_predictor(scorer_folder), data).scores
    expected = predict_with(open_run_predictor(toy_run), data).scores
    assert torch_scores == pytest.approx(expected, abs=5e-4)
    scored = Scorer(scorer_folder, faces="whole", threads=1).score_iter(data.paths)
    assert [result.score for result in scored] == pytest.approx(torch_scores, abs=1e-5)
    assert np.ptp(torch_scores) > 1e-3


def test_the_model_carries_its_spec_and_takes_any_batch(scorer_folder):
    model = onnx.load(scorer_folder / "model.onnx")
    onnx.checker.check_model(model)
    spec = {prop.key: prop.value for prop in model.metadata_props}["facegauge.spec"]
    assert PreprocessSpec.from_json(spec) == PreprocessSpec(width=64, height=80)
    assert model.opset_import[0].version >= 17
    (image,), (score, heat) = model.graph.input, model.graph.output
    shape = image.type.tensor_type.shape.dim
    assert (image.name, score.name, heat.name) == ("image", "score", "heat_map")
    assert [d.dim_value for d in heat.type.tensor_type.shape.dim[1:]] == [5, 4]
    assert shape[0].dim_param and [d.dim_value for d in shape[1:]] == [3, 80, 64]
    assert {file.name for file in scorer_folder.iterdir()} == {
        "model.onnx",
        "card.toml",
    }


def test_the_card_tells_what_was_measured(scorer_folder, toy_run, data):
    zoo.verify(scorer_folder)
    card = zoo.load_card(scorer_folder)
    run = load_run(toy_run)
    val = data.where(split="val")
    scores = predict_with(TorchPredictor("run", run.network, run.spec), val).scores
    assert card.val.n == 60 and card.val.label == "label"
    assert card.val.figures["srcc"].value == pytest.approx(srcc(scores, val.scores), abs=1e-4)
    assert {"plcc", "plcc_fitted", "krcc", "rmse", "challenge"} <= card.val.figures.keys()
    parameters = sum(weight.numel() for weight in run.network.parameters())
    assert card.cost.parameters_m == pytest.approx(parameters / 1e6)
    assert card.cost.input == "64x80"
    assert card.data.trained_on == "toy/labels.csv (90 pictures)"
    assert (card.data.command, card.data.commit) == ("facegauge train ensemble", "abc123")
    assert card.calibration.n == 30
    train = data.where(split="train").scores
    assert card.calibration.quantiles[50] == pytest.approx(np.median(train), abs=1e-4)
    covered = [low <= y <= high for y, (low, high) in
               zip(val.scores, map(card.calibration.interval, scores), strict=True)]  # fmt: skip
    assert np.mean(covered) >= 0.9


def test_the_card_carries_a_version_and_earlier_models(toy_run, data, tmp_path):
    run, earlier_model = load_run(toy_run), "ab" * 32
    card = export_run(
        run, tmp_path / "toy", name="toy", data=data, version="1.1", same_as=[earlier_model]
    )
    assert zoo.load_card(tmp_path / "toy") == card
    assert (card.version, card.same_as) == ("1.1", (earlier_model,))


@pytest.mark.slow
def test_weights_stay_float32_where_half_precision_moves_a_score(
    toy_run, data, tmp_path, monkeypatch
):
    monkeypatch.setattr(export, "MAX_MOVE", 1e-7)
    card = export_run(load_run(toy_run), tmp_path / "toy", name="toy", data=data)
    val, run = data.where(split="val"), load_run(toy_run)
    scores = predict_with(TorchPredictor("run", run.network, run.spec), val).scores
    assert card.val.figures["rmse"].value == pytest.approx(rmse(scores, val.scores), abs=1e-6)
    types = {
        tensor.data_type for tensor in onnx.load(tmp_path / "toy/model.onnx").graph.initializer
    }
    assert onnx.TensorProto.FLOAT in types and onnx.TensorProto.FLOAT16 not in types
    image = torch.randn(2, 3, 80, 64)
    with torch.inference_mode():
        expected = load_run(toy_run).network(image).numpy()
    (score,) = run_onnx(tmp_path / "toy", image, "score")
    assert score == pytest.approx(expected, abs=1e-5)


def test_a_scorers_member_can_be_trained_further(scorer_folder, toy_run):
    ours, theirs = (
        load_pretrained(str(folder), "mobilenet_v3_small") for folder in (scorer_folder, toy_run)
    )
    image = torch.randn(2, 3, 80, 64)
    with torch.inference_mode():
        assert torch.allclose(ours.eval()(image), theirs.eval()(image), atol=5e-4)


def test_it_can_be_opened_for_fine_tuning(scorer_folder, toy_run):
    ours, theirs = load_run(scorer_folder), load_run(toy_run)
    image = torch.randn(2, 3, 80, 64)
    with torch.inference_mode():
        (score,) = run_onnx(scorer_folder, image, "score")
        assert ours.network(image).numpy() == pytest.approx(score, abs=1e-6)
        assert torch.allclose(ours.network(image), theirs.network(image), atol=5e-4)
    assert (ours.system, ours.config, ours.spec, ours.settings) == (
        theirs.system, theirs.config, theirs.spec, theirs.settings
    )  # fmt: skip
    assert not ours.network.training and list(ours.members) == list(theirs.members)


@pytest.mark.slow
def test_flip_averages_the_mirrored_picture_and_costs_twice(toy_run, data, scorer_folder, tmp_path):
    run = load_run(toy_run)
    card = export_run(run, tmp_path / "flip", name="flip", data=data, flip=True)
    image = np.random.default_rng(0).normal(size=(3, 3, 80, 64)).astype(np.float32)
    model = zoo.onnx_model.Model(tmp_path / "flip")
    with torch.inference_mode():
        stored = load_run(tmp_path / "flip").network.members.values()
        views = [
            sum(member(torch.from_numpy(image[..., ::d].copy())) for member in stored) / 2
            for d in (1, -1)
        ]
    assert model(image) == pytest.approx((views[0] + views[1]).numpy() / 2, abs=1e-5)
    assert not np.allclose(model(image), views[0].numpy(), atol=1e-5)
    assert card.cost.gflops == pytest.approx(2 * zoo.load_card(scorer_folder).cost.gflops, abs=2e-4)
    assert load_run(tmp_path / "flip").config["flip"] is True
    assert profile_scorer(tmp_path / "flip").gflops == card.cost.gflops


def test_a_single_network_flips_too():
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 4 * 4, 1))
    image = torch.randn(2, 3, 4, 4)
    expected = (network(image) + network(image.flip(3))).flatten() / 2
    assert torch.allclose(Shipped(network, flip=True)(image), expected)
    assert Shipped(network, flip=False)(image).shape == (2,)


def run_onnx(folder, image, *names):
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    return session.run(list(names), {"image": image.numpy()})


@pytest.mark.parametrize("batch", [1, 3])
def test_the_heat_map_of_the_model_is_torchs_and_means_the_score(scorer_folder, batch):
    network = load_run(scorer_folder).network
    image = torch.randn(batch, 3, 80, 64)
    score, heat = run_onnx(scorer_folder, image, "score", "heat_map")
    assert heat.shape == (batch, 5, 4) and heat.dtype == np.float32
    assert heat.mean((1, 2)) == pytest.approx(score, abs=1e-6)
    with torch.inference_mode():
        assert score == pytest.approx(network(image).numpy(), abs=1e-5)
        assert heat == pytest.approx(network.explain(image).numpy(), abs=1e-5)
    assert heat[0].std() > 1e-4
    (alone,) = run_onnx(scorer_folder, image, "score")
    assert np.array_equal(alone, score)


class Places(torch.nn.Module):
    """Scores every patch of 4 x 4 pixels; the picture's score is their mean."""

    def __init__(self):
        super().__init__()
        self.patch = torch.nn.Conv2d(3, 1, 4, 4)

    def forward(self, x):
        return self.patch(x).mean((1, 2, 3))

    def explain(self, x):
        return self.patch(x).squeeze(1)


def test_a_flipped_heat_map_is_mirrored_back(tmp_path):
    shipped, spec = Shipped(Places(), flip=True).eval(), PreprocessSpec(width=12, height=16)
    write_onnx(shipped, spec, tmp_path / "model.onnx")
    assert check_onnx(shipped, spec, tmp_path / "model.onnx") <= TOLERANCE
    image = torch.randn(2, 3, 16, 12)
    score, heat = run_onnx(tmp_path, image, "score", "heat_map")
    with torch.inference_mode():
        views = [shipped.network.explain(x).numpy() for x in (image, image.flip(3))]
        assert score == pytest.approx(shipped(image).numpy(), abs=1e-6)
    assert heat == pytest.approx((views[0] + views[1][..., ::-1]) / 2, abs=1e-6)


def test_a_heat_map_that_differs_between_the_runtimes_is_refused(tmp_path):
    spec, file = PreprocessSpec(width=12, height=16), tmp_path / "model.onnx"
    shipped = Shipped(Places(), flip=False).eval()
    write_onnx(shipped, spec, file)
    spoil(file, "heat_map")
    with pytest.raises(ScorerError, match=r"torch differ by .* in the heat_map at batch size 1"):
        check_onnx(shipped, spec, file)


def test_efficient_fiqas_student_can_be_exported(tmp_path):
    pytest.importorskip("timm")
    shipped = Shipped(Regressor("edgenext_xx_small", head="factorised"), flip=False).eval()
    spec = PreprocessSpec(width=70, height=90)
    write_onnx(shipped, spec, tmp_path / "model.onnx")
    assert check_onnx(shipped, spec, tmp_path / "model.onnx") <= TOLERANCE


def test_a_network_without_a_heat_map_gives_its_score_alone(tmp_path):
    shipped, spec = Shipped(Bright(), flip=True).eval(), PreprocessSpec(width=8, height=10)
    write_onnx(shipped, spec, tmp_path / "model.onnx")
    assert check_onnx(shipped, spec, tmp_path / "model.onnx") <= TOLERANCE
    model = onnx.load(tmp_path / "model.onnx")
    assert [output.name for output in model.graph.output] == ["score"]


def test_the_scorer_shows_the_heat_map_of_a_face(scorer_folder, toy_run, data):
    scorer = Scorer(scorer_folder, faces="whole", threads=1)
    path = data.paths[0]
    shown = scorer.heat_map(path)
    assert shown.values.shape == (5, 4)
    assert float(shown.values.mean()) == pytest.approx(scorer.score(path).score, abs=1e-6)


def spoil(file, output):
    """Put a wrong last step before one output; what else is made of its input stays right."""
    model = onnx.load(file)
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = ["unspoilt" if name == output else name for name in names]
    model.graph.node.append(onnx.helper.make_node("Exp", ["unspoilt"], [output]))
    onnx.save(model, file)


def test_a_difference_between_the_runtimes_leaves_nothing_behind(
    toy_run, data, tmp_path, monkeypatch
):
    def spoilt(network, spec, file, **options):
        write_onnx(network, spec, file, **options)
        spoil(file, "score")

    monkeypatch.setattr(export, "write_onnx", spoilt)
    with pytest.raises(ScorerError, match=r"onnxruntime and torch differ by .* in the score"):
        export_run(load_run(toy_run), tmp_path / "bad", name="bad", data=data)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_use_is_left_alone(toy_run, data, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="is in use"):
        export_run(load_run(toy_run), tmp_path, name="x", data=data)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


def test_what_is_wrong_is_said_before_scoring(toy_run, data, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "predict_with", lambda *_: pytest.fail("it scores"))
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot make the folder"):
        export_run(load_run(toy_run), tmp_path / "file" / "s", name="s", data=data)
    folder = load_manifest(data.source.parent)
    with pytest.raises(UsageError, match="is a folder of pictures, which have no score; expected"):
        export_run(load_run(toy_run), tmp_path / "s", name="s", data=folder)
    with pytest.raises(UsageError, match="has no column score"):
        unlabelled = replace(data, scores=None)
        export_run(load_run(toy_run), tmp_path / "s", name="s", data=unlabelled)


def test_the_current_folder_is_no_place_for_a_scorer(toy_run, data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="choose a new folder"):
        export_run(load_run(toy_run), ".", name="x", data=data)


def test_data_without_val_is_refused(toy_run, data, tmp_path):
    with pytest.raises(UsageError, match="no rows with split 'val'"):
        export_run(load_run(toy_run), tmp_path / "x", name="x", data=data.where(split="train"))


@pytest.mark.slow
def test_photos_are_read_as_the_run_read_them(toy_run, data, tmp_path):
    """Those without a face are left out; a card tells leaks, and a model nobody's folders."""
    names = ("", "_blur", "_dark", "_jpeg", "_small")
    photos = [EXAMPLES / f"astronaut{name}.jpg" for name in names]
    listed = replace(
        data.take(range(11)),
        paths=(*data.paths[:5], *photos, data.paths[5]),
        splits=(*["train"] * 5, *["val"] * 6),
        groups={},
    )
    run, out = load_run(toy_run), tmp_path / "out"
    more = {"faces": "auto", "leaks": {"same person": 2}, "start": "/home/me/runs/first"}
    run = replace(run, settings={**run.settings, **more})
    card = export_run(run, out, name="x", data=listed)
    assert card.val.n == 5
    assert card.data.trained_on.endswith("; leaks between train and val, allowed: 2 same person")
    with pytest.raises(UsageError, match="no face"):
        export_run(run, tmp_path / "other", name="x", data=data)
    whole = export_run(run, tmp_path / "whole", name="x", data=listed, faces="whole")
    assert whole.val.n == 6 and whole.val.figures != card.val.figures
    kept = load_run(out).settings
    assert kept["start"] == "runs/first" and kept["command"] == run.settings["command"]
    # `evaluate` reads as the run did, unless told otherwise
    folder = tmp_path / "run"
    save_run(folder, system="x", network=run.network, config=run.config, spec=run.spec,
             settings=run.settings)  # fmt: skip
    assert len(predictions_of(folder, listed, "val").unscored) == 1
    assert not predictions_of(folder, listed, "val", faces="whole").unscored
    assert not predictions_of(out, listed, "val").unscored


class Bright(torch.nn.Module):
    """Scores the mean of the red channel; knows nothing else."""

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.tensor(0.2))

    def forward(self, x):
        return 0.5 + self.scale * x[:, 0].mean((1, 2))


def test_predict_takes_either_folder(scorer_folder, toy_run, data, tmp_path):
    some = data.take(np.arange(5))
    by_torch, by_onnx = predict(toy_run, some), predict(scorer_folder, some)
    assert by_torch.members and not by_onnx.members
    stored = predict_with(open_run_predictor(scorer_folder), some).scores
    assert by_onnx.scores == pytest.approx(stored, abs=1e-5)
    assert by_onnx.scores == pytest.approx(by_torch.scores, abs=5e-4)
    with pytest.raises(ScorerError, match="no scorer"):
        predict(tmp_path / "nothing", some)
