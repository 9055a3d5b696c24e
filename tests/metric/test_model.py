"""Scores of pictures in torch: equal to a Scorer's, with right gradients."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from facegauge import Box, Face, Scorer, zoo  # noqa: E402
from facegauge.calibration import ScoreMap  # noqa: E402
from facegauge.errors import PictureError, UsageError  # noqa: E402
from facegauge.faces.spec import PreprocessSpec  # noqa: E402
from facegauge.metric.faces import FaceFinder, find_faces  # noqa: E402
from facegauge.metric.frozen import FrozenNetwork  # noqa: E402
from facegauge.metric.model import QualityModel  # noqa: E402
from toys import noise_picture, trainable  # noqa: E402

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.jpg"))
SPEC = PreprocessSpec(width=16, height=20, mean=(0.5,) * 3, std=(0.25,) * 3)


class Smooth(torch.nn.Module):
    """A network without kinks, that may be told landmarks or the size."""

    def __init__(self, told: str = "") -> None:
        super().__init__()
        torch.manual_seed(3)
        self.layers = torch.nn.Sequential(
            torch.nn.Conv2d(3, 4, 3, stride=2), torch.nn.Tanh(), torch.nn.Conv2d(4, 1, 3)
        )
        self.uses_landmarks, self.uses_size = told == "landmarks", told == "size"
        self.told = None

    def forward(self, x, guide=None):
        self.told = guide
        extra = 0 if guide is None else 0.01 * torch.nan_to_num(guide).sum(1)
        return 0.5 + 0.1 * self.layers(x).mean((1, 2, 3)) + extra


def model_of(network=None, spec=SPEC, **options) -> QualityModel:
    return QualityModel(FrozenNetwork(network or Smooth(), spec), **options)


def tensor_of(picture, dtype=torch.float32):
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].to(dtype) / 255


def still(*faces):
    """A detector that finds these faces everywhere."""
    return lambda pixels: list(faces)


@pytest.mark.parametrize("faces", ["largest", "whole"])
@pytest.mark.parametrize("name", trainable())
def test_scores_are_those_of_the_scorer(name: str, faces: str) -> None:
    """On the example portrait and on noise without a face, which only `whole` scores."""
    model = QualityModel(FrozenNetwork.open(name), faces=faces)
    scorer = Scorer(name, faces=faces, threads=1)
    pictures = [Image.open(EXAMPLES[0]), Image.open(EXAMPLES[3]), noise_picture(1, (300, 420))]
    for picture in pictures:
        pixels = np.array(picture)
        got, expected = model(tensor_of(pixels)).item(), scorer.score(pixels).score
        assert np.isnan(got) if expected is None else got == pytest.approx(expected, abs=1e-3)


def test_a_map_to_other_labels_is_that_of_the_scorer(tmp_path: Path) -> None:
    folder = tmp_path / "mapped"
    shutil.copytree(zoo.open_folder("efficient"), folder)
    score_map = ScoreMap("isotonic", (0.0, 0.3, 0.5, 1.0), (0.1, 0.2, 0.8, 0.9))
    card = replace(zoo.load_card(folder), map=score_map, same_as=())
    (folder / "card.toml").write_text(zoo.card_to_toml(card), encoding="utf-8")
    model, scorer = (
        QualityModel(FrozenNetwork.open(folder), faces="whole"),
        Scorer(folder, faces="whole"),
    )
    plain = QualityModel(FrozenNetwork.open("efficient"), faces="whole")
    for path in EXAMPLES[:3]:
        image = tensor_of(Image.open(path)).requires_grad_()
        got = model(image)
        assert got.item() == pytest.approx(scorer.score(path).score, abs=2e-3)
        assert got.item() == pytest.approx(score_map([plain(image).item()])[0], abs=1e-5)
        (gradient,) = torch.autograd.grad(got, image)
        assert gradient.abs().max() > 0
    with torch.no_grad():
        nan = model.network.mapped(torch.tensor([np.nan, 0.0, 1.0]))
    assert nan[0].isnan() and nan[1:].tolist() == pytest.approx([0.1, 0.9])


def test_a_batch_scores_as_its_pictures_do_alone() -> None:
    pictures = torch.cat([tensor_of(Image.open(path)) for path in EXAMPLES[:3]])
    pictures[1] = 0.5  # no face
    model = QualityModel(FrozenNetwork.open("ensemble"))
    alone = [model(one[None]).item() for one in pictures]
    together = model(pictures).tolist()
    assert np.isnan(alone[1]) and np.isnan(together[1])
    assert together == pytest.approx(alone, abs=1e-5, nan_ok=True)


def test_values_between_two_levels_are_those_of_the_saved_picture(toy_run: Path) -> None:
    model = QualityModel(FrozenNetwork.open(toy_run), faces="whole")
    images = torch.rand(2, 3, 70, 60) * 1.1 - 0.05  # some beyond 0..1
    saved = (images.clamp(0, 1) * 255).round() / 255
    assert torch.equal(model(images), model(saved))
    smooth = QualityModel(FrozenNetwork.open(toy_run), faces="whole", rounding=False)
    assert not torch.equal(smooth(images), smooth(saved))


@pytest.mark.parametrize("told", ["", "landmarks", "size"])
@pytest.mark.parametrize("crops", [1, 3])
def test_the_gradient_is_right(told: str, crops: int) -> None:
    spec = PreprocessSpec(width=8, height=9, crops=crops)
    face = Face(Box(4, 5, 11, 14), 0.9, ((5, 7), (9, 7), (7, 9), (6, 12), (9, 12)))
    network = FrozenNetwork(Smooth(told), spec).double()
    model = QualityModel(network, detector=still(face), min_face=1, rounding=False)
    images = 0.2 + 0.6 * torch.rand(2, 3, 18, 15, dtype=torch.float64)
    assert torch.autograd.gradcheck(model, images.requires_grad_(), fast_mode=True)


def test_rounding_leaves_the_gradient_as_it_is() -> None:
    images = (torch.randint(30, 220, (1, 3, 40, 32)) / 255).requires_grad_()
    gradients = []
    for rounding in (True, False):
        model = model_of(spec=PreprocessSpec(width=32, height=40), faces="whole", rounding=rounding)
        (gradient,) = torch.autograd.grad(model(images).sum(), images)
        gradients.append(gradient)
    assert torch.allclose(*gradients, atol=1e-7) and gradients[0].abs().max() > 0


@pytest.mark.parametrize("name", ["dsl", "mobile"])
def test_the_gradient_of_a_shipped_scorer_is_right(name: str) -> None:
    """Along its own direction; dsl's degradation encoder has a part in it."""
    network = FrozenNetwork.open(name).double()
    model = QualityModel(network, faces="whole", rounding=False)
    height, width = network.spec.height, network.spec.width
    image = tensor_of(Image.open(EXAMPLES[0]).resize((width, height)), torch.float64)
    image = image.clamp(0.05, 0.95).requires_grad_()
    (gradient,) = torch.autograd.grad(model(image).sum(), image)
    step = 1e-6 * gradient / gradient.norm()
    rise = (model(image + step) - model(image - step)).item() / 2e-6
    assert rise == pytest.approx(gradient.norm().item(), rel=1e-3)


def test_a_score_beyond_the_scale_is_clipped_and_keeps_its_gradient() -> None:
    network = Smooth()
    torch.nn.init.constant_(network.layers[2].bias, -60.0)
    images = torch.rand(1, 3, 20, 16, requires_grad=True)
    score = model_of(network, faces="whole")(images)
    assert score.item() == 0
    (gradient,) = torch.autograd.grad(score.sum(), images)
    assert gradient.abs().max() > 0


def test_the_network_is_told_the_size_of_the_frame_in_octaves() -> None:
    network = Smooth("size")
    model_of(network, faces="whole")(torch.rand(1, 3, 80, 64))
    assert network.told.isnan().all()  # a framed crop of an original of unknown size
    framed = Box(0, 0, 16 * SPEC.face_width, 20 * SPEC.face_height)  # its frame is the input's size
    boxes = torch.tensor([[framed.left, framed.top, framed.right, framed.bottom]]) + 100
    model_of(network, min_face=1)(torch.rand(1, 3, 300, 300), boxes)
    assert network.told.item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("turn", range(4))
def test_a_turned_face_is_scored_upright(turn: int) -> None:
    """The scorer turns by whole quarters; here by the points of the face."""
    points = ((30, 30), (50, 30), (40, 40), (33, 50), (47, 50))
    face = Face(Box(22, 15, 58, 62), 0.9, points)
    pixels = np.array(noise_picture(4, (90, 120)))
    network = FrozenNetwork(Smooth("landmarks"), SPEC)
    upright = QualityModel(network, detector=still(face))(tensor_of(pixels)).item()
    turned = tensor_of(np.rot90(pixels, -turn).copy())
    size = 90, 120
    from facegauge.faces.turning import turned_face

    found = turned_face(face, -turn, size)
    got = QualityModel(network, detector=still(found))(turned).item()
    assert got == pytest.approx(upright, abs=1e-6)
    assert QualityModel(network)(turned, [found]).item() == pytest.approx(upright, abs=1e-6)


def test_given_boxes_are_framed_like_found_ones_and_nothing_is_searched() -> None:
    face = Face(Box(20, 30, 60, 80), 0.9)

    def never(pixels):
        raise AssertionError("searched")

    images = torch.rand(3, 3, 120, 90)
    found = model_of(detector=still(face))(images)
    nan = float("nan")
    given = torch.tensor([[20.0, 30, 60, 80], [nan] * 4, [20.0, 30, 60, 80]])
    for boxes in (given, given.numpy(), [face, None, face]):
        got = model_of(detector=never)(images, boxes)
        assert got[1].isnan() and torch.equal(got[::2], found[::2])
    assert model_of(detector=never, min_face=41)(images, given).isnan().all()
    assert not model_of(detector=never, faces="whole")(images).isnan().any()


def test_faces_of_a_reference_are_found_once() -> None:
    picture = tensor_of(Image.open(EXAMPLES[0]))
    images = torch.cat([picture, torch.full_like(picture, 0.5)])
    face, none = find_faces(images.half())
    assert none is None and face is not None and len(face.points) == 5
    best = Scorer(faces="largest").score(str(EXAMPLES[0])).best
    assert face == best.face
    assert find_faces(picture, detector=still()) == [None]


def test_the_network_stays_as_it_was_opened(toy_run: Path) -> None:
    frozen = FrozenNetwork.open(toy_run)
    around = torch.nn.Sequential(torch.nn.Linear(2, 2), frozen)
    (network,) = frozen._held
    before = {name: value.clone() for name, value in network.state_dict().items()}
    around.train().requires_grad_(True)
    around.apply(lambda module: [torch.nn.init.zeros_(one) for one in module.parameters()])
    assert not any(module.training for module in network.modules())
    assert not any(one.requires_grad for one in network.parameters())
    assert len(list(around.parameters())) == len(around.state_dict()) == 2
    for half in (around.half(), around.bfloat16()):
        half.float()
        assert all(torch.equal(before[name], now) for name, now in network.state_dict().items())
    around.double()
    assert frozen.like.dtype is torch.float64
    assert around.to("meta") and frozen.like.device.type == "meta"


def test_scores_are_those_of_float32_under_autocast(toy_run: Path) -> None:
    model = QualityModel(FrozenNetwork.open(toy_run), faces="whole")
    images = (torch.randint(0, 256, (2, 3, 80, 64)) / 255).bfloat16().float()
    expected = model(images)
    with torch.autocast("cpu", torch.bfloat16):
        got = model(images.bfloat16())
    assert torch.equal(got, expected)


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (np.zeros((1, 3, 8, 8)), "got ndarray"),
        (torch.rand(3, 8, 8), r"shape \(3, 8, 8\)"),
        (torch.rand(1, 1, 8, 8), r"shape \(1, 1, 8, 8\)"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), "divide 8-bit pixels by 255"),
        (torch.full((1, 3, 8, 8), 200.0), "values from 200 to 200"),
        (torch.full((1, 3, 8, 8), float("nan")), "values from nan"),
        (torch.zeros(1, 3, 8, 8, device="meta"), "the images are on meta"),
    ],
)
def test_what_is_no_batch_of_pictures_is_refused(images, words: str, monkeypatch) -> None:
    if words.startswith("the images"):  # a tensor without values cannot be looked at
        monkeypatch.setattr("facegauge.metric.model.check_images", lambda images: None)
    with pytest.raises(UsageError, match=words):
        model_of(faces="whole")(images)


@pytest.mark.parametrize(
    ("boxes", "words"),
    [
        (torch.zeros(1, 3, 8, 8), r"boxes \(N, 4\).* got \(1, 3, 8, 8\)"),
        (torch.zeros(2, 4), r"for 1 pictures; got \(2, 4\)"),
        (torch.tensor([[5.0, 0, 1, 9]]), "right > left"),
        ([None, None], "got 2 items"),
        ([(1, 2, 3, 4)], "got 1 items"),
    ],
)
def test_boxes_that_do_not_fit_are_refused(boxes, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        model_of()(torch.rand(1, 3, 8, 8), boxes)


def test_wrong_options_and_failing_detectors_are_named() -> None:
    with pytest.raises(UsageError, match="largest or whole, got 'all'"):
        FaceFinder(SPEC, faces="all")
    with pytest.raises(UsageError, match="min_face"):
        FaceFinder(SPEC, min_face=-1)
    with pytest.raises(UsageError, match="nowhere"):
        FrozenNetwork.open("nowhere")

    def broken(pixels):
        raise ValueError("no memory")

    with pytest.raises(PictureError, match="no memory"):
        model_of(detector=broken)(torch.rand(1, 3, 60, 60))


def test_no_pictures_have_no_scores() -> None:
    assert model_of()(torch.zeros(0, 3, 8, 8)).shape == (0,)
    assert model_of(faces="whole")(torch.zeros(0, 3, 8, 8)).shape == (0,)
