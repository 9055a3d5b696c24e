"""Copies of scorers in int8: what is in them, how far scores move, what is refused."""

from __future__ import annotations

import logging
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from facegauge import Scorer, zoo  # noqa: E402
from facegauge.cli import app  # noqa: E402
from facegauge.data.manifests import load_manifest  # noqa: E402
from facegauge.errors import ScorerError, UsageError  # noqa: E402
from facegauge.nn.checkpoints import load_run  # noqa: E402
from facegauge.predictors import OnnxPredictor  # noqa: E402
from facegauge.training import quantize  # noqa: E402
from facegauge.training.export import export_run  # noqa: E402
from facegauge.training.onnx_int8 import quantised  # noqa: E402
from facegauge.training.quantize import Change, quantize_scorer  # noqa: E402
from facegauge.zoo import card_to_toml, load_card  # noqa: E402
from facegauge.zoo.onnx_file import check_model  # noqa: E402
from sized_toys import sized_run  # noqa: E402


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory, toy_data: Path) -> Path:
    """A scorer folder of a network that is told sizes."""
    folder = tmp_path_factory.mktemp("float")
    run = sized_run(folder / "run")
    export_run(load_run(run), folder / "scorer", name="toy", data=load_manifest(toy_data))
    card = load_card(folder / "scorer")
    told = replace(card, same_as=("0" * 64,), fairness="measured of the scorer")
    (folder / "scorer" / zoo.CARD).write_text(card_to_toml(told), encoding="utf-8")
    return folder / "scorer"


@pytest.fixture(scope="module")
def copy(scorer: Path, toy_data: Path) -> Path:
    """Its copy in int8."""
    folder = scorer.parent / "int8"
    quantize_scorer(str(scorer), folder, load_manifest(toy_data), in_float=2)
    return folder


def samples(count: int = 8) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(1)
    return [
        {
            "image": rng.normal(size=(1, 3, 80, 64)).astype(np.float32),
            "size": np.full((1, 1), np.nan, np.float32),
        }
        for _ in range(count)
    ]


def operators(folder: Path) -> list[str]:
    return [node.op_type for node in onnx.load(folder / zoo.MODEL).graph.node]


def test_all_but_the_first_convolutions_are_in_8_bits_and_keep_7(scorer: Path, copy: Path) -> None:
    graph = onnx.load(copy / zoo.MODEL).graph
    made = {node.output[0]: node.op_type for node in graph.node}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    assert len(convolutions) == operators(scorer).count("Conv")
    kinds = [made.get(node.input[1]) for node in convolutions]
    assert kinds[:2] == [None, None]
    assert kinds[2:].count("DequantizeLinear") >= len(kinds) - 10  # the head's stays as it is
    weights = [onnx.numpy_helper.to_array(one) for one in graph.initializer]
    eight = [values for values in weights if values.dtype == np.int8 and values.ndim == 4]
    assert len(eight) == kinds.count("DequantizeLinear")
    # sums of two products of such weights with 0..255 fit into 16 bits
    assert 50 < max(int(np.abs(values.astype(int)).max()) for values in eight) <= 64
    check_model((copy / zoo.MODEL).read_bytes())


def test_the_copy_scores_nearly_alike_and_says_what_it_is(
    scorer: Path, copy: Path, toy_data: Path
) -> None:
    pictures = load_manifest(toy_data).paths[:20]
    before, after = (
        np.array([one.score for one in Scorer(folder, faces="whole").score_iter(pictures)])
        for folder in (scorer, copy)
    )
    assert 0 < np.abs(after - before).max() < 0.05
    card = load_card(copy)
    assert card.name == "toy-int8" and "int8" in card.summary
    assert card.same_as == () and card.fairness == "" and card.attribution is None
    assert card.sha256 != load_card(scorer).sha256
    assert (copy / zoo.MODEL).stat().st_size < (scorer / zoo.MODEL).stat().st_size


def test_figures_and_intervals_are_those_of_the_copy(copy: Path, toy_data: Path) -> None:
    val = load_manifest(toy_data).where(split="val")
    results = [*Scorer(copy, faces="whole").score_iter(val.paths)]
    scores, labels = np.array([one.score for one in results]), val.labels()
    card = load_card(copy)
    assert card.val.n == len(val)
    assert card.val.figures["plcc"].value == pytest.approx(
        np.corrcoef(scores, labels)[0, 1], abs=1e-5
    )
    inside = [f.low <= label <= f.high for (f,), label in
              zip((one.faces for one in results), labels, strict=True)]  # fmt: skip
    assert 0.85 <= np.mean(inside) <= 0.97


def test_sizes_and_the_heat_map_still_work(copy: Path, toy_data: Path) -> None:
    predictor = OnnxPredictor(copy)
    image = samples(1)[0]["image"]
    scores = [predictor.predict(image, np.full((1, 1), s, np.float32))[0] for s in (0.0, 3.0)]
    assert abs(scores[0] - scores[1]) > 0.005
    scorer, path = Scorer(copy, faces="whole"), load_manifest(toy_data).paths[0]
    assert scorer.heat_map(path).values.mean() == pytest.approx(scorer.score(path).score, abs=1e-4)


def test_as_few_convolutions_stay_in_float_as_the_scores_allow(
    scorer: Path, toy_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    changes = [Change(0.0, 0.01, 0.1), Change(0.004, 0.001, 0.1), Change(0.001, 0.002, 0.1)]
    monkeypatch.setattr(Change, "of", lambda before, after: changes.pop(0))
    caplog.set_level(logging.INFO)
    quantize_scorer(str(scorer), tmp_path / "out", load_manifest(toy_data))
    tried = [one.getMessage().split()[0] for one in caplog.records if "in float32" in one.message]
    assert tried == [str(count) for count in quantize.IN_FLOAT]


def test_a_change_that_is_too_large_leaves_nothing(
    scorer: Path, toy_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantize, "IN_FLOAT", (0,))
    monkeypatch.setattr(quantize, "MAX_SPREAD", 1e-9)
    with pytest.raises(UsageError, match=r"8 bits change the scores of .* too much: by .*in-float"):
        quantize_scorer(str(scorer), tmp_path / "out", load_manifest(toy_data))
    assert not [*tmp_path.iterdir()]


def test_what_cannot_be_is_refused_in_one_line(
    scorer: Path, copy: Path, toy_data: Path, tmp_path: Path
) -> None:
    data = load_manifest(toy_data)
    with pytest.raises(UsageError, match="in use"):
        quantize_scorer(str(scorer), copy, data)
    with pytest.raises(UsageError, match="in int8 already"):
        quantize_scorer(str(copy), tmp_path / "out", data, in_float=2)
    with pytest.raises(UsageError, match=r"fewer than \d+ convolutions in float"):
        quantize_scorer(str(scorer), tmp_path / "out", data, in_float=1000)
    with pytest.raises(UsageError, match="no rows with split 'train'"):
        quantize_scorer(str(scorer), tmp_path / "out", data.where(split="val"))
    with pytest.raises(UsageError, match="in int8; use the scorer"):
        load_run(str(copy))
    with pytest.raises(ScorerError, match="no scorer 'nowhere'"):
        quantize_scorer("nowhere", tmp_path / "out", data)
    with_photos = tmp_path / "with"
    shutil.copytree(scorer, with_photos)
    card = load_card(scorer)
    card = replace(card, photos=card.val)
    (with_photos / zoo.CARD).write_text(card_to_toml(card), encoding="utf-8")
    with pytest.raises(UsageError, match="--photos FILE"):
        quantize_scorer(str(with_photos), tmp_path / "out", data)


def test_the_tools_leave_the_log_as_it_is(scorer: Path) -> None:
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    quantised((scorer / zoo.MODEL).read_bytes(), samples(), in_float=1)
    assert (root.level, root.handlers) == (level, handlers)


def test_the_verb_prints_the_figures(scorer: Path, toy_data: Path, tmp_path: Path) -> None:
    words = ["quantize", str(scorer), "--data", str(toy_data), "-o", str(tmp_path / "small")]
    result = CliRunner().invoke(app, [*words, "--in-float", "2", "--name", "mine"])
    assert result.exit_code == 0, result.output
    assert "on 60 pictures of val" in result.stdout and "SRCC" in result.stdout
    assert load_card(tmp_path / "small").name == "mine"
