"""The geometry of a network's input: shapes stay shapes, in every preset and on every road."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw

pytest.importorskip("torch")

from facegauge.arrays import Pixels
from facegauge.data.framing import Framing
from facegauge.errors import UsageError
from facegauge.faces.extraction import FaceExtractor
from facegauge.faces.framing import crop_frames, frame_around
from facegauge.faces.policy import ExtractionPolicy
from facegauge.faces.sampling import face_crops
from facegauge.faces.spec import PreprocessSpec
from facegauge.results import Box, Face
from facegauge.training.config import load_preset, walk
from facegauge.training.geometry import InputConfig, with_framing
from facegauge.training.inputs.pictures import sampled
from facegauge.training.inputs.views import Framed, ViewMaker
from facegauge.training.view_settings import ViewsConfig

PRESETS = [
    *(("light_ensemble", preset) for preset in ("cpu", "paper")),
    *(("efficient_fiqa", preset) for preset in ("cpu", "paper")),
    *(("mspt", preset) for preset in ("cpu", "paper")),
    *(("dsl_fiqa", preset) for preset in ("cpu", "paper")),
    ("photos", "cpu"),
]
STILL = ViewsConfig(shift=0.0, zoom=0.0, integer_shift_prob=0.0, mirror_prob=0.0)


def inputs(config: object, tables: type = InputConfig) -> Iterator[InputConfig]:
    """Every input of a method's settings: of its networks, teachers and stages."""
    for value in vars(config).values():
        for one in value.values() if isinstance(value, dict) else [value]:
            if isinstance(one, tables):
                yield one
            elif hasattr(type(one), "__pydantic_fields__"):
                yield from inputs(one)


def circle() -> Pixels:
    """A white disc in the middle of 512 x 512, 200 pixels across."""
    picture = Image.new("RGB", (512, 512))
    ImageDraw.Draw(picture).ellipse((156, 156, 355, 355), fill="white")
    return np.asarray(picture)


def extent(view: Pixels) -> tuple[int, int]:
    """Width and height of what is white."""
    white = view[..., 0] > 127
    return int(white.any(0).sum()), int(white.any(1).sum())


@pytest.mark.parametrize(("method", "preset"), PRESETS)
def test_a_circle_in_a_square_picture_stays_a_circle(method: str, preset: str) -> None:
    disc = Framed(circle(), Box(0, 0, 512, 512), score=0.5)
    found = list(inputs(load_preset(method, preset)))
    assert found
    for each in found:
        spec = each.spec
        views = [sampled([disc], spec)[0]]  # validation
        views += [pixels for pixels, _ in face_crops(disc.pixels, disc.frame, (), spec)]  # scoring
        rng = np.random.default_rng(0)
        views += [ViewMaker([disc], spec, STILL).plain(disc, rng) for _ in range(3)]  # training
        for view in views:
            assert view.shape == (spec.height, spec.width, 3)
            wide, high = extent(view)
            assert abs(wide - high) <= 1 and wide > 40, (each, wide, high)


def test_dsls_paper_preset_scores_20_fixed_crops_of_384_out_of_512_pixel_for_pixel() -> None:
    spec = load_preset("dsl_fiqa", "paper").input.spec
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (512, 512, 3), np.uint8)
    extractor = FaceExtractor(spec, ExtractionPolicy("whole"))
    (crops,) = extractor.prepare(extractor.locate(pixels)).crops
    assert len(crops) == 20
    places = {(int(box.left), int(box.top)) for box in crop_frames(Box(0, 0, 512, 512), spec)}
    assert len(places) == 20 and (64, 64) in places
    assert min(min(place) for place in places) <= 10 and max(map(max, places)) >= 118
    copies = {pixels[y : y + 384, x : x + 384].tobytes() for x, y in places}
    assert {view.tobytes() for view, _ in crops} == copies
    again = extractor.prepare(extractor.locate(pixels)).crops[0]
    assert all((a == b).all() for (a, _), (b, _) in zip(crops, again, strict=True))


def test_training_draws_crops_at_random_places_in_the_whole_room() -> None:
    spec = load_preset("dsl_fiqa", "paper").input.spec
    rows, columns = np.mgrid[:512, :512]
    pixels = np.stack([columns // 2, rows // 2, 0 * rows], -1).astype(np.uint8)
    maker, picture = ViewMaker([], spec, STILL), Framed(pixels, Box(0, 0, 512, 512))
    rng = np.random.default_rng(1)
    corners = np.array([maker.plain(picture, rng)[0, 0, :2] for _ in range(60)]) * 2
    assert corners.min() <= 12 and corners.max() >= 114
    assert len({tuple(corner) for corner in corners.tolist()}) > 40


def test_efficients_paper_preset_resizes_the_short_side_and_cuts_a_square() -> None:
    spec = load_preset("efficient_fiqa", "paper").input.spec
    assert (spec.width, spec.height, spec.crops) == (352, 352, 1)
    (shown,) = crop_frames(Box(0, 0, 178, 218), spec)
    assert (shown.left, shown.width) == (0, 178) and shown.height == pytest.approx(178)
    assert shown.top == pytest.approx(20, abs=0.5)  # in the middle, by whole pixels of the input
    teacher = load_preset("efficient_fiqa", "paper").teacher_input.spec
    assert (teacher.width, teacher.height) == (448, 448)


def test_a_crop_of_the_frames_own_shape_is_the_frame_itself() -> None:
    spec = PreprocessSpec(crop_mode="crop")
    for frame in (Box(0, 0, 178, 218), Box(3, -4, 3 + 356, -4 + 436)):
        assert crop_frames(frame, spec) == (frame,)
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (218, 178, 3), np.uint8)
    one = Framed(pixels, Box(0, 0, 178, 218))
    assert (sampled([one], spec)[0] == pixels).all()


def test_mirroring_is_off_where_its_probability_is_0() -> None:
    rng, spec = np.random.default_rng(0), PreprocessSpec(width=16, height=16)
    pixels = rng.integers(0, 256, (16, 16, 3), np.uint8)
    one = Framed(pixels, Box(0, 0, 16, 16))
    still = ViewMaker([one], spec, STILL)
    assert all((still.plain(one, rng) == pixels).all() for _ in range(12))
    always = ViewMaker([one], spec, replace(STILL, mirror_prob=1.0))
    assert (always.plain(one, rng) == pixels[:, ::-1]).all()


def test_papers_without_mirroring_warm_up_or_clipping_have_none() -> None:
    efficient, dsl = (load_preset(name, "paper") for name in ("efficient_fiqa", "dsl_fiqa"))
    assert efficient.views.mirror_prob == 0
    for config in (efficient, dsl):
        named = {name: value for name, _, value in walk(config)}
        warmups = [value for name, value in named.items() if name.endswith(".warmup")]
        clips = [value for name, value in named.items() if name.endswith(".clip")]
        assert set(warmups) == {0} and set(clips) == {0.0}


def test_settings_that_do_not_go_together_are_one_line() -> None:
    with pytest.raises(UsageError, match="crop_mode crop with a crop_pct below 1, got squash"):
        InputConfig(width=384, height=384, crop_pct=0.75)
    with pytest.raises(UsageError, match="needs the crop_mode crop, got squash"):
        PreprocessSpec(crop_pct=0.75)


@pytest.mark.parametrize("method", ["light_ensemble", "efficient_fiqa", "mspt", "dsl_fiqa"])
def test_a_measured_framing_reaches_every_input(method: str) -> None:
    framing = Framing(1.0, 0.4, 0.5, 0.49, 0.52, 0.2)
    for preset in ("cpu", "paper"):
        config = with_framing(load_preset(method, preset), framing)
        for each in inputs(config):
            spec = each.spec
            assert (spec.aspect, spec.face_width, spec.framed_tolerance) == (1.0, 0.4, 0.2)
        frame = frame_around(Face(Box(0, 0, 40, 50), 0.9), spec)
        assert (frame.width, frame.height) == pytest.approx((100, 100))
