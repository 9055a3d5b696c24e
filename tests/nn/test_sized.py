"""A regressor that is told the size of the face: scores, maps, and what it becomes on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from facegauge.data.manifests import load_manifest  # noqa: E402
from facegauge.evaluation.predictions import predict  # noqa: E402
from facegauge.faces.sampling import to_tensor  # noqa: E402
from facegauge.nn.build import build  # noqa: E402
from facegauge.nn.checkpoints import load_run  # noqa: E402
from facegauge.nn.curved import Curved  # noqa: E402
from facegauge.nn.ensemble import Ensemble  # noqa: E402
from facegauge.nn.heads import LinearHead  # noqa: E402
from facegauge.nn.predictor import uses_size  # noqa: E402
from facegauge.nn.regressor import Regressor  # noqa: E402
from facegauge.nn.sized import SizedRegressor  # noqa: E402
from facegauge.results import Box, Face  # noqa: E402
from facegauge.scorer import Scorer  # noqa: E402
from facegauge.training.export import export_run  # noqa: E402
from facegauge.training.onnx_export import (  # noqa: E402
    TOLERANCE,
    Shipped,
    check_onnx,
    read_shipped,
    write_onnx,
)
from facegauge.zoo.onnx_model import Model  # noqa: E402
from sized_toys import SPEC, sized_network, sized_run  # noqa: E402

UNKNOWN = float("nan")


def images(count: int = 3) -> torch.Tensor:
    return torch.randn(count, 3, 80, 64, generator=torch.Generator().manual_seed(1))


def column(*sizes: float) -> torch.Tensor:
    return torch.tensor(sizes)[:, None]


@pytest.mark.parametrize("head", ["linear", "factorised"])
def test_a_regressor_that_becomes_one_keeps_its_scores(head: str) -> None:
    torch.manual_seed(0)
    plain = Regressor("mobilenet_v3_small", "all", 0.4, head).eval()
    sized = SizedRegressor.from_regressor(plain).eval()
    with torch.inference_mode():
        expected = plain(images())
        for size in (None, column(-2.0, 0.0, 3.0), column(UNKNOWN, 1.0, UNKNOWN)):
            assert torch.equal(sized(images(), size), expected)
        assert sized.estimate_size(sized.embed(images())).tolist() == [0.0] * 3
    assert sized.config == {**plain.config, "kind": "sized_regressor"}


def test_a_size_moves_the_score_and_without_one_it_stays() -> None:
    network = sized_network()
    with torch.inference_mode():
        untold = network(images())
        assert torch.equal(untold, Regressor.forward(network, images()))
        assert torch.equal(network(images(), column(UNKNOWN, UNKNOWN, UNKNOWN)), untold)
        some = network(images(), column(0.5, UNKNOWN, -2.0))
    moved = (some - untold).abs()
    assert moved[1] == 0 and moved[0] > 0.01 and moved[2] > 0.01


def test_the_correction_by_hand() -> None:
    network = sized_network()
    with torch.inference_mode():
        embedding = network.embed(images(1)).double().numpy()[0]
        found = [network(images(1), column(size)).item() for size in (-9.0, 9.0, 20.0)]
    weights = {name: value.double().numpy() for name, value in network.state_dict().items()}
    plain = embedding @ weights["head.weight"][0] + weights["head.bias"][0]
    standard = (embedding - weights["mean"]) / weights["deviation"]
    estimate = standard @ weights["width.weight"][0] + weights["width.bias"][0]
    most = estimate + 0.75  # what is claimed beyond is not believed
    assert -9 < most < 9
    for score, size in zip(found, (-9.0, most, most), strict=True):
        columns = [1, plain, size, plain * size, size**2, plain**2]
        assert score == pytest.approx(weights["coefficients"] @ columns, abs=1e-5)


def test_a_face_without_a_size_spoils_no_gradient() -> None:
    score = torch.tensor([0.2, 0.5, 0.8], requires_grad=True)
    size = torch.tensor([[0.3], [UNKNOWN], [0.6]])
    sized_network().correct(score, torch.zeros(3), size).sum().backward()
    assert torch.isfinite(score.grad).all() and score.grad[1] == 1


def test_heat_maps_mean_the_score() -> None:
    network = sized_network()
    with torch.inference_mode():
        for size in (None, column(1.0, -1.0, UNKNOWN)):
            found = network.outputs(images(), size)
            assert torch.allclose(found["score"], network(images(), size), atol=1e-5)
            assert torch.allclose(found["heat_map"].mean((1, 2)), found["score"], atol=1e-5)
            assert found["heat_map"][0].std() > 1e-4
        assert torch.allclose(network.explain(images()).mean((1, 2)), network(images()), atol=1e-5)
        pair = Ensemble({"a": network, "b": sized_network(1)})  # is not told sizes
        assert torch.allclose(pair.explain(images()).mean((1, 2)), pair(images()), atol=1e-5)


def test_a_description_builds_it_again() -> None:
    network = sized_network(head="factorised")
    again = build(network.config).eval()
    assert isinstance(again, SizedRegressor) and uses_size(again)
    again.load_state_dict(network.state_dict())
    with torch.inference_mode():
        size = column(1.0, -1.0, UNKNOWN)
        assert torch.equal(again(images(), size), network(images(), size))


def test_it_has_a_linear_head() -> None:
    network = sized_network()
    assert isinstance(network, LinearHead)
    weight = torch.randn(network.embedding_size, generator=torch.Generator().manual_seed(2)) * 0.01
    with torch.inference_mode():
        before, embedding = network(images()), network.embed(images())
        assert torch.equal(network.score_embedding(embedding), before)
    network.shift_head(weight, 0.1)
    with torch.inference_mode():
        assert torch.allclose(network(images()), before + embedding @ weight + 0.1, atol=1e-5)


def test_behind_a_curve_it_is_not_told_sizes() -> None:
    network = sized_network()
    curved = Curved(network, (0.5, 0.2)).eval()
    assert not uses_size(curved)
    with torch.inference_mode():
        assert torch.allclose(curved(images()), 0.5 * network(images()) + 0.2, atol=1e-6)
        found = curved.outputs(images())
        assert torch.allclose(found["heat_map"].mean((1, 2)), curved(images()), atol=1e-5)


@pytest.mark.parametrize("flip", [False, True])
def test_its_file_scores_like_torch_with_sizes_and_without(tmp_path: Path, flip: bool) -> None:
    shipped, file = Shipped(sized_network(), flip=flip).eval(), tmp_path / "model.onnx"
    write_onnx(shipped, SPEC, file)
    assert check_onnx(shipped, SPEC, file) <= TOLERANCE
    stored, size = read_shipped(shipped, file), column(1.5, UNKNOWN, -2.0)
    with torch.inference_mode():
        told, untold = stored(images(), size).numpy(), stored(images()).numpy()
    session = onnxruntime.InferenceSession(str(file))
    assert [value.name for value in session.get_inputs()] == ["image", "size"]

    def run(size: torch.Tensor) -> list[np.ndarray]:
        given = {"image": images().numpy(), "size": size.numpy()}
        return session.run(["score", "heat_map"], given)

    (scores, heat), (estimated, _) = run(size), run(torch.full((3, 1), UNKNOWN))
    assert scores == pytest.approx(told, abs=1e-5)
    assert estimated == pytest.approx(untold, abs=1e-5)
    assert heat.mean((1, 2)) == pytest.approx(scores, abs=1e-5)
    assert np.abs(scores - estimated).max() > 0.01


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory, toy_data: Path) -> tuple[Path, Path]:
    """A run folder and the scorer folder made of it."""
    folder = tmp_path_factory.mktemp("sized")
    run = sized_run(folder / "run")
    export_run(load_run(run), folder / "scorer", name="sized", data=load_manifest(toy_data))
    return run, folder / "scorer"


def middle(pixels: np.ndarray) -> list[Face]:
    """One face in the middle of every picture, half as wide."""
    height, width = pixels.shape[:2]
    box = Box(width / 4, height / 4, 3 * width / 4, 3 * height / 4)
    return [Face(box, 0.9, ((0.0, 0.0),) * 5)]


def test_a_scorer_tells_the_size_of_faces_that_are_cut_out(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    scorer = Scorer(folders[1], faces="all", detector=middle)
    whole, network = Scorer(folders[1], faces="whole"), load_run(folders[1]).network
    found = []
    for width in (64, 128, 256):  # even colours: the network's views have the same pixels
        file = tmp_path / f"{width}.png"
        Image.new("RGB", (width, width * 5 // 4), (150, 110, 90)).save(file)
        score = scorer.score(file).score
        prepared = scorer.prepare(file)
        crop, guide = prepared.crops[0][0]
        assert guide[10] == pytest.approx(np.log2(prepared.frames[0].width / 64))
        assert (crop == crop[0, 0]).all()
        image = torch.from_numpy(to_tensor(crop, scorer.spec)[None])
        with torch.inference_mode():
            expected = network(image, torch.from_numpy(guide[None, 10:])).item()
            untold = network(image).item()
        assert score == pytest.approx(expected, abs=1e-4)
        heat = scorer.heat_map(file)
        assert float(heat.values.mean()) == pytest.approx(score, abs=1e-5)
        assert whole.score(file).score == pytest.approx(untold, abs=1e-4)
        assert np.isnan(whole.prepare(file).crops[0][0][1][10])
        found.append(score)
    assert abs(found[0] - found[1]) > 3e-3


def test_run_and_scorer_folder_agree(folders: tuple[Path, Path], toy_data: Path) -> None:
    data = load_manifest(toy_data).take(np.arange(6))
    by_torch, by_onnx = (predict(folder, data).scores for folder in folders)
    assert by_onnx == pytest.approx(by_torch, abs=1e-3)
    model = Model(folders[1])
    assert model.uses_size and not model.uses_landmarks
    image = images().numpy()
    unknown = np.full((3, 1), np.nan, np.float32)
    assert model(image).tolist() == model(image, unknown).tolist()
    told = model(image, np.full((3, 1), 2, np.float32))
    assert np.abs(told - model(image)).max() > 3e-3
    assert model.maps(image[:1])["heat_map"].mean() == pytest.approx(model(image)[0], abs=1e-5)
