"""The one road: the same pictures have the same faces, frames and statuses for every caller."""

from __future__ import annotations

import ast
import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import facegauge
from facegauge.arrays import Pixels
from facegauge.data.manifests import Manifest
from facegauge.errors import MissingExtra, ScorerError, UsageError
from facegauge.evaluation.predictions import predict_with
from facegauge.faces.detection import CenterFace
from facegauge.faces.extraction import FaceExtractor
from facegauge.faces.framing import frame_around, is_framed
from facegauge.faces.guide import guide_vector
from facegauge.faces.landmarks import landmark_vector
from facegauge.faces.located import Located, Prepared
from facegauge.faces.policy import ExtractionPolicy
from facegauge.faces.pose import UPRIGHT
from facegauge.faces.sampling import sample
from facegauge.images.loading import open_picture
from facegauge.labelling.label import label
from facegauge.results import Box, Face, Status
from facegauge.scorer import Scorer
from toys import TOY_SPEC, ToyPredictor

SOURCE = Path(__file__).parents[2] / "examples" / "astronaut.jpg"
STATUSES = {
    "broken": Status.UNREADABLE,
    "framed": Status.OK,
    "group": Status.OK,
    "none": Status.NO_FACE,
    "portrait": Status.OK,
    "sideways": Status.OK,
    "small": Status.TOO_SMALL,
    "turned": Status.OK,
}
OK = [name for name, status in STATUSES.items() if status is Status.OK]
SPEC = TOY_SPEC


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One picture of each kind, made of one portrait."""
    made = tmp_path_factory.mktemp("kinds")
    portrait = Image.open(SOURCE)
    (face,) = CenterFace()(np.asarray(portrait))
    frame = frame_around(face, SPEC)
    scale = 19 / min(face.box.width, face.box.height)
    side = round(portrait.width * scale)
    group = Image.new("RGB", (900, 512), (90, 90, 90))
    group.paste(portrait.resize((300, 300)), (0, 100))
    group.paste(portrait.resize((500, 500)), (350, 6))
    sideways = portrait.transpose(Image.Transpose.ROTATE_90)
    pictures = {
        "framed": portrait.crop(tuple(map(round, as_tuple(frame)))),
        "group": group,
        "none": Image.effect_noise((300, 300), 60).convert("RGB"),
        "portrait": portrait,
        "sideways": sideways,
        "small": portrait.resize((side, side), Image.Resampling.BICUBIC),
    }
    for name, image in pictures.items():
        image.save(made / f"{name}.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter clockwise
    sideways.save(made / "turned.png", exif=exif)
    (made / "broken.png").write_bytes((made / "portrait.png").read_bytes()[:999])
    return made


def as_tuple(box: Box) -> tuple[float, float, float, float]:
    return box.left, box.top, box.right, box.bottom


@pytest.fixture(scope="module")
def located(folder: Path) -> dict[str, Located]:
    """What the road gives for one face a picture, by the name of the kind."""
    extractor = FaceExtractor(SPEC, ExtractionPolicy.of_one_face("auto"))
    found = extractor.map(paths(folder), lambda located: located)
    return dict(zip(STATUSES, found, strict=True))


def paths(folder: Path) -> list[Path]:
    return [folder / f"{name}.png" for name in STATUSES]


def listed(folder: Path, scores: bool = False) -> Manifest:
    files = paths(folder)
    return Manifest(tuple(files), np.linspace(0, 1, len(files)) if scores else None, None)


class Camera:
    """A network that keeps the crops that it is given; its score is their mean."""

    def __init__(self) -> None:
        self.crops: list[Pixels] = []

    def __call__(self, images: np.ndarray) -> np.ndarray:
        self.crops += [np.rint(one.transpose(1, 2, 0) * 255).astype(np.uint8) for one in images]
        return images.mean((1, 2, 3), dtype=np.float64)


def test_the_road_itself(folder: Path, located: dict[str, Located]) -> None:
    assert {name: one.status for name, one in located.items()} == STATUSES
    assert "19 px" in located["small"].message or "18 px" in located["small"].message
    for name in OK:
        (face,), (frame,), (points,) = (
            located[name].faces,
            located[name].frames,
            located[name].points,
        )
        assert face is not None and points == face.points and len(points) == 5
        around, size = frame_around(face, SPEC), (located[name].width, located[name].height)
        if name == "sideways":
            continue  # see tests/faces/test_turning.py
        assert frame == (Box(0, 0, *size) if name == "framed" else around), name
        assert is_framed(around, *size, SPEC) == (name == "framed")
    assert located["sideways"].width == located["sideways"].height == 512
    turned, upright = located["turned"], located["portrait"]
    assert np.array_equal(turned.pixels, open_picture(SOURCE))  # type: ignore[arg-type]
    assert (turned.faces, turned.frames) == (upright.faces, upright.frames)
    group = FaceExtractor(SPEC, ExtractionPolicy("all")).locate(folder / "group.png")
    assert len(group.faces) == 2 and group.faces[:1] == located["group"].faces


def test_scoring_takes_the_road(
    toy_scorer: Path, folder: Path, located: dict[str, Located]
) -> None:
    scorer = Scorer(toy_scorer, faces="largest")
    results = scorer.score_iter(paths(folder))
    for (name, expected), result in zip(located.items(), results, strict=True):
        prepared = scorer.prepare(folder / f"{name}.png")
        assert (prepared.status, prepared.message) == (expected.status, expected.message)
        assert (prepared.faces, prepared.frames) == (expected.faces, expected.frames)
        assert (result.status, result.message) == (expected.status, expected.message)
        assert tuple(face.face for face in result.faces) == expected.faces
        assert (result.width, result.height) == (expected.width, expected.height)


def test_evaluation_takes_the_road(folder: Path, located: dict[str, Located]) -> None:
    camera = Camera()
    found = predict_with(ToyPredictor("toy", "", SPEC, camera), listed(folder), "auto")
    names = list(located)
    unscored = {names[row]: message for row, message in found.unscored.items()}
    assert unscored == {
        name: one.message for name, one in located.items() if one.status is not Status.OK
    }
    assert_framed(camera.crops, located)


@pytest.mark.parametrize("views", [1, 3])
def test_labelling_takes_the_road(folder: Path, located: dict[str, Located], views: int) -> None:
    camera = Camera()
    teacher = ToyPredictor("toy", "", SPEC, camera)
    labels = list(label(teacher, listed(folder), views=views, batch_size=1))
    for one, expected in zip(labels, located.values(), strict=True):
        assert (one.status, one.message) == (expected.status, expected.message)
        assert str(one.path) == expected.name
    assert_framed(camera.crops[::views], located)


def test_training_takes_the_road(
    folder: Path, located: dict[str, Located], caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("torch")
    from facegauge.training.inputs.pictures import load_framed, sampled

    framed = load_framed(listed(folder), SPEC, "auto", points=True)
    assert_framed(list(sampled(framed, SPEC)), located)
    for picture, name in zip(framed, OK, strict=True):
        ((_, _, frame, marks),) = located[name].upright()
        expected = landmark_vector(marks, frame)
        assert landmark_vector(picture.points, picture.frame) == pytest.approx(expected, abs=1e-4)
    broken, faceless, small = caplog.messages
    assert "broken.png" in broken and located["broken"].message in broken
    assert "no face in 1 of 8 pictures" in faceless
    assert "only faces below 24 px in 1 of 8 pictures" in small

    known = Manifest(tuple(paths(folder)[1:]), np.linspace(0, 1, 7), None)
    framed = load_framed(known, SPEC, "auto")
    rows = [row for row, name in enumerate(list(STATUSES)[1:]) if name in OK]
    assert [picture.score for picture in framed] == known.scores[rows].tolist()  # type: ignore[index]
    with pytest.raises(UsageError, match=r"cannot train on .*broken\.png: "):
        load_framed(listed(folder, scores=True), SPEC, "auto")


def test_portraits_take_the_road(
    folder: Path, tmp_path: Path, located: dict[str, Located], caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("torch")
    from facegauge.training.methods.mspt.config import PortraitsConfig
    from facegauge.training.methods.mspt.portraits import cut_portraits

    config = PortraitsConfig(copies=0, kinds=("jpeg",), max_width=999)
    cuts = cut_portraits(listed(folder), tmp_path / "cuts", SPEC, config)
    assert cuts.group("source") == tuple(f"{name}.png" for name in OK)
    for path, name in zip(cuts.paths, OK, strict=True):
        ((pixels, _, frame, _),) = located[name].upright()
        left, top = round(frame.left), round(frame.top)
        right, bottom = left + round(frame.width), top + round(frame.height)
        wide = replace(SPEC, width=right - left, height=bottom - top)
        expected = sample(pixels, Box(left, top, right, bottom), wide)
        assert np.array_equal(open_picture(path), expected), name
    assert "no face in 3 of 8 portraits" in caplog.text and "broken.png" in caplog.text


def assert_framed(crops: list[Pixels], located: dict[str, Located]) -> None:
    """One crop of each picture with a face, of the road's frame."""
    assert len(crops) == len(OK)
    for crop, name in zip(crops, OK, strict=True):
        ((pixels, _, frame, _),) = located[name].upright()
        assert np.array_equal(crop, sample(pixels, frame, SPEC)), name


HOMES = {  # who may use the parts of the road
    "read_picture": {"faces.extraction"},
    "open_picture": {"images", "cli.degrade", "data.leakage", "data.datasets.check",
        "evaluation.compare", "selection",
        "explanation", "visual.saving", "visual.thumbnails"},  # to draw what was scored
    "frame_around": {"faces.extraction", "data.framing",  # to measure, not to cut
        "visual.crops"},
    "is_framed": {"faces.extraction"},
    "CenterFace": {"faces.extraction", "faces.detection_cache", "cli.doctor",
        "serve.private_mode"},  # whose constants it hands to the browser
}  # fmt: skip


@pytest.mark.parametrize("part", HOMES)
def test_there_is_no_other_road(part: str) -> None:
    root = Path(facegauge.__file__).parent
    found = set()
    for file in root.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and part in [name.name for name in node.names]:
                module = file.relative_to(root).with_suffix("").as_posix().replace("/", ".")
                found.add(module.removesuffix(".__init__"))
    assert found == HOMES[part]


# policies, errors and the look-ahead


def face(left: float, top: float, side: float) -> Face:
    points = tuple((left + x * side, top + y * side) for x, y in UPRIGHT + 0.5)
    return Face(Box(left, top, left + side, top + side), 0.9, points)


PIXELS = np.zeros((160, 240, 3), np.uint8)
LARGE, MIDDLE, TINY = face(100, 40, 60), face(10, 40, 30), face(200, 5, 10)


def finds(*faces: Face) -> Callable[[Pixels], list[Face]]:
    return lambda pixels: list(faces)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (ExtractionPolicy(), (LARGE, MIDDLE)),
        (ExtractionPolicy("all", min_face=5), (LARGE, MIDDLE, TINY)),
        (ExtractionPolicy("largest"), (LARGE,)),
        (ExtractionPolicy("whole"), (None,)),
        (ExtractionPolicy(min_face=31), (LARGE,)),
    ],
)
def test_policies(policy: ExtractionPolicy, expected: tuple[Face | None, ...]) -> None:
    located = FaceExtractor(SPEC, policy, finds(TINY, MIDDLE, LARGE)).locate(PIXELS)
    assert located.faces == expected and located.status is Status.OK
    assert len(located.frames) == len(located.points) == len(expected)
    assert (located.width, located.height, located.name) == (240, 160, "<image 0>")


def test_landmarks_of_a_whole_picture_are_those_of_its_largest_face() -> None:
    found = finds(TINY, LARGE)
    located = FaceExtractor(SPEC, ExtractionPolicy("whole", landmarks=True), found).locate(PIXELS)
    assert (located.faces, located.frames) == ((None,), (Box(0, 0, 240, 160),))
    assert located.points == (LARGE.points,)
    empty = FaceExtractor(SPEC, ExtractionPolicy("whole", landmarks=True), finds()).locate(PIXELS)
    assert (empty.status, empty.points) == (Status.OK, ((),))

    def never(pixels: Pixels) -> list[Face]:
        raise AssertionError("it is searched")

    located = FaceExtractor(SPEC, ExtractionPolicy("whole"), never).locate(PIXELS)
    assert (located.status, located.points) == (Status.OK, ((),))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"faces": "some"}, "auto, all, largest, whole, got 'some'"),
        ({"detect_size": 31}, "detect_size to be 32 or more, got 31"),
        ({"min_face": -1}, "min_face to be 0 or more, got -1"),
        ({"min_face": float("nan")}, "min_face"),
        ({"max_pixels": 0}, "max_pixels to be 1 or more, got 0"),
    ],
)
def test_wrong_policies(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ExtractionPolicy(**options)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="faces must be whole or auto here, got 'all'"):
        ExtractionPolicy.of_one_face("all")


def test_statuses_have_their_reason() -> None:
    def locate(*faces: Face, **options: int) -> Located:
        return FaceExtractor(SPEC, ExtractionPolicy(**options), finds(*faces)).locate(PIXELS)  # type: ignore[arg-type]

    almost = replace(TINY, box=Box(0, 0, 23.9, 40))
    small = locate(TINY, almost)
    assert small.message == "the largest face is 23 px, the minimum is 24 px"
    assert (small.status, small.pixels, small.faces) == (Status.TOO_SMALL, None, ())
    assert locate().status is Status.NO_FACE and locate().message == "no face found"
    large = locate(LARGE, max_pixels=100)
    assert (large.status, large.width) == (Status.TOO_LARGE, 0)


def test_what_is_searched_can_be_limited() -> None:
    def message(**options: int) -> str:
        extractor = FaceExtractor(SPEC, ExtractionPolicy(**options))  # type: ignore[arg-type]
        return extractor.locate(np.zeros((900, 1200, 3), np.uint8)).message

    assert message() == "no face found (searched for faces of 24 px and more)"
    assert message(detect_size=320) == (
        "no face found (searched for faces of 45 px and more; a detect size of 320 shows no "
        "smaller ones)"
    )
    for enough in ({"detect_size": 600}, {"detect_size": 320, "min_face": 45}):
        assert "detect size" not in message(**enough)
    policy = ExtractionPolicy.of_one_face("auto", detect_size=64)
    assert FaceExtractor(SPEC, policy).detector == CenterFace(max_size=64)
    with pytest.raises(UsageError, match="detect_size goes with the built-in detector"):
        FaceExtractor(SPEC, policy, finds(LARGE))


def test_names_of_sources(tmp_path: Path) -> None:
    extractor = FaceExtractor(SPEC, ExtractionPolicy("whole"))
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    path = tmp_path / "a.png"
    data = path.read_bytes()
    sources = [path, str(path), data, ("mine", data), ("yours", path), 7, ("bad", 7)]
    found = list(extractor.map(sources, lambda located: located))  # type: ignore[arg-type]
    assert [one.name for one in found] == [
        *(str(path), str(path), "<image 2>", "mine", "yours", "<image 5>", "bad"),
    ]
    assert [one.status for one in found] == [Status.OK] * 5 + [Status.UNREADABLE] * 2
    assert extractor.locate(path, "other").name == "other"


def test_an_error_in_the_cut_is_the_pictures_status() -> None:
    extractor = FaceExtractor(SPEC, ExtractionPolicy(), finds(LARGE))
    seen: list[Located] = []

    def cut(located: Located) -> str:
        seen.append(located)
        if located.pixels is not None:
            raise ValueError("cannot\nbe cut")
        return located.message

    assert extractor.extract(PIXELS, cut) == "ValueError: cannot be cut"
    assert [one.status for one in seen] == [Status.OK, Status.ERROR]
    assert (seen[1].width, seen[1].faces) == (240, ())


@pytest.mark.parametrize("error", [ScorerError("damaged"), MissingExtra("it", "heic")])
def test_what_is_damaged_or_missing_ends_the_run(error: Exception) -> None:
    def broken(pixels: Pixels) -> list[Face]:
        raise error

    def cut(located: Located) -> None:
        raise error

    with pytest.raises(type(error)):
        FaceExtractor(SPEC, ExtractionPolicy(), broken).locate(PIXELS)
    with pytest.raises(type(error)):
        list(FaceExtractor(SPEC, ExtractionPolicy(), finds(LARGE)).map([PIXELS], cut))


def test_pictures_are_read_lazily_and_released() -> None:
    taken = 0

    def endless() -> Iterator[Pixels]:
        nonlocal taken
        while True:
            taken += 1
            yield PIXELS

    found = FaceExtractor(SPEC, ExtractionPolicy("whole")).map(endless(), lambda _: None, 2)
    for given in range(1, 20):
        next(found)
        assert taken <= given + 2 * 2 + 1
    found.close()


def test_what_is_prepared_has_no_pixels_and_can_be_pickled() -> None:
    extractor = FaceExtractor(SPEC, ExtractionPolicy(), finds(MIDDLE, LARGE))
    big = np.random.default_rng(0).integers(0, 256, (1600, 2400, 3), np.uint8)
    prepared = extractor.extract(big, extractor.prepare)
    sent = pickle.dumps(prepared)
    assert len(sent) < 20_000
    copy = pickle.loads(sent)
    assert isinstance(copy, Prepared) and copy.count == 2
    assert (copy.faces, copy.frames, copy.spec) == (prepared.faces, prepared.frames, SPEC)
    (pixels, guide), *_ = copy.crops[0]
    assert np.array_equal(pixels, sample(big, prepared.frames[0], SPEC))
    assert np.array_equal(guide, guide_vector(LARGE.points, prepared.frames[0], SPEC))
    empty = extractor.extract(b"", extractor.prepare)
    assert (empty.status, empty.count, empty.spec) == (Status.UNREADABLE, 0, None)
