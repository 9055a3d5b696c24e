from __future__ import annotations

import importlib
import io
import multiprocessing
import pickle
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from PIL import Image

import facegauge
from facegauge import default_scorer as default_module
from facegauge import selection
from facegauge.errors import PictureError, ScorerError, UsageError
from facegauge.faces.framing import crop_frames, frame_around
from facegauge.faces.pose import UPRIGHT
from facegauge.faces.sampling import sample, to_tensor
from facegauge.faces.turning import turned_face
from facegauge.results import COLUMNS, Box, Face, Status
from facegauge.schema import Column
from facegauge.scorer import Scorer
from facegauge.zoo import card_to_toml
from facegauge.zoo.onnx_model import Model
from toys import TOY_CALIBRATION, TOY_SPEC, toy_card

MID = Face(Box(60, 40, 100, 90), 0.9)
SMALL = Face(Box(5, 5, 31, 40), 0.8)
TINY = Face(Box(150, 5, 160, 15), 0.7)
WHOLE = Box(0, 0, 240, 160)


def picture(seed: int = 0, height: int = 160, width: int = 240) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def finds(*faces: Face) -> Callable[[Any], list[Face]]:
    return lambda pixels: list(faces)


def by_hand(pixels: np.ndarray, frame: Box) -> float:
    return float(to_tensor(sample(pixels, frame, TOY_SPEC), TOY_SPEC).mean(dtype=np.float64))


def framed(spec_width: int = 48, spec_height: int = 64) -> Face:
    """The face that a 48x64 picture was cut around."""
    width, height = TOY_SPEC.face_width * spec_width, TOY_SPEC.face_height * spec_height
    x, y = TOY_SPEC.center_x * spec_width, TOY_SPEC.center_y * spec_height
    return Face(Box(x - width / 2, y - height / 2, x + width / 2, y + height / 2), 0.9)


def test_every_face_is_framed_sampled_scored_and_described(toy_scorer: Path) -> None:
    pixels = picture()
    result = Scorer(toy_scorer, detector=finds(SMALL, MID)).score(pixels)
    assert (result.path, result.status, result.message) == ("<image 0>", Status.OK, "")
    assert (result.width, result.height) == (240, 160)
    assert [face.face for face in result.faces] == [MID, SMALL]  # largest first
    for scored in result.faces:
        assert scored.face is not None
        expected = by_hand(pixels, frame_around(scored.face, TOY_SPEC))
        assert scored.score == pytest.approx(expected, abs=1e-6)
        described = (scored.low, scored.high, scored.percentile, scored.band)
        assert described == TOY_CALIBRATION.describe(scored.score)
    assert result.faces[0].score != result.faces[1].score


def test_the_modes(toy_scorer: Path) -> None:
    pixels = picture()

    def boxes(faces: str, *found: Face) -> list[Face | None]:
        result = Scorer(toy_scorer, faces=faces, detector=finds(*found)).score(pixels)
        return [face.face for face in result.faces]

    assert boxes("auto", MID, SMALL) == [MID, SMALL]
    assert boxes("all", MID, SMALL) == [MID, SMALL]
    assert boxes("largest", SMALL, MID) == [MID]
    assert boxes("whole", MID) == [None]
    whole = Scorer(toy_scorer, faces="whole", detector=finds()).score(pixels)
    assert whole.score == pytest.approx(by_hand(pixels, WHOLE), abs=1e-6)


def test_a_framed_picture_is_taken_whole_except_by_all(toy_scorer: Path) -> None:
    pixels = picture(1, 64, 48)
    face = Face(Box(*(edge + 1.5 for edge in as_tuple(framed().box))), 0.9)  # not quite centred
    cut = by_hand(pixels, frame_around(face, TOY_SPEC))
    taken = by_hand(pixels, Box(0, 0, 48, 64))
    assert abs(cut - taken) > 1e-4
    for mode, expected in {"auto": taken, "largest": taken, "all": cut}.items():
        result = Scorer(toy_scorer, faces=mode, detector=finds(face), min_face=5).score(pixels)
        assert result.score == pytest.approx(expected, abs=1e-6), mode
        assert result.faces[0].face == face
    other = Face(Box(1, 1, 8, 8), 0.6)
    both = finds(face, other)
    assert len(Scorer(toy_scorer, detector=both, min_face=5).score(pixels).faces) == 1
    assert len(Scorer(toy_scorer, faces="all", detector=both, min_face=5).score(pixels).faces) == 2


def as_tuple(box: Box) -> tuple[float, float, float, float]:
    return box.left, box.top, box.right, box.bottom


def test_a_large_face_has_the_mean_of_its_crops(make_scorer: Callable[..., Path]) -> None:
    spec = replace(TOY_SPEC, crops=3)
    pixels = picture()
    scorer = Scorer(make_scorer(spec=spec), detector=finds(MID, SMALL), batch_size=2)
    for scored, face in zip(scorer.score(pixels).faces, (MID, SMALL), strict=True):
        crops = crop_frames(frame_around(face, TOY_SPEC), spec)
        means = [by_hand(pixels, crop) for crop in crops]
        assert len(means) == 3
        assert scored.score == pytest.approx(np.mean(means), abs=1e-6) != means[0]
    again = list(scorer.score_iter([pixels, picture(1), pixels]))
    assert [one.score for one in again[::2]] == [scorer.score(pixels).score] * 2
    whole = Scorer(scorer.folder, faces="whole", detector=finds()).score(pixels)
    assert whole.score == pytest.approx(
        np.mean([by_hand(pixels, crop) for crop in crop_frames(WHOLE, spec)]), abs=1e-6
    )


def test_small_faces_are_left_out(toy_scorer: Path) -> None:
    def run(*faces: Face, **options: Any) -> Any:
        return Scorer(toy_scorer, detector=finds(*faces), **options).score(picture())

    assert [face.face for face in run(MID, TINY).faces] == [MID]
    only = run(TINY)
    assert (only.status, only.faces) == (Status.TOO_SMALL, ())
    assert "10 px" in only.message
    assert "24" in only.message
    assert run(TINY, min_face=10).status is Status.OK
    nothing = run()
    assert (nothing.status, nothing.message) == (Status.NO_FACE, "no face found")
    assert (nothing.width, nothing.height) == (240, 160)


@pytest.mark.parametrize(("scale", "expected"), [(-1.0, 0.0), (9.0, 1.0)])
def test_scores_are_clipped(
    make_scorer: Callable[..., Path], scale: float, expected: float
) -> None:
    result = Scorer(make_scorer(scale=scale), faces="whole").score(picture())
    assert result.score == expected


def test_a_network_that_gives_nan_fails_the_picture_only(make_scorer: Callable[..., Path]) -> None:
    result = Scorer(make_scorer(scale=float("nan")), faces="whole").score(picture())
    assert result.status is Status.ERROR
    assert "not a number" in result.message


@pytest.fixture
def explaining(toy_scorer: Path) -> Path:
    """The toy scorer with a heat map: the mean of the channels at every pixel."""
    model = onnx.load(toy_scorer / "model.onnx")
    axes = numpy_helper.from_array(np.array([1], np.int64), "channels")
    node = helper.make_node("ReduceMean", ["image", "channels"], ["heat_map"], keepdims=0)
    shape = helper.make_tensor_value_info("heat_map", onnx.TensorProto.FLOAT, ["N", 32, 24])
    model.graph.initializer.append(axes)
    model.graph.node.append(node)
    model.graph.output.append(shape)
    written = model.SerializeToString()
    (toy_scorer / "model.onnx").write_bytes(written)
    (toy_scorer / "card.toml").write_text(card_to_toml(toy_card(written)), encoding="utf-8")
    return toy_scorer


def test_a_heat_map_covers_the_frame_of_the_face_that_was_asked_for(explaining: Path) -> None:
    pixels = picture()
    scorer = Scorer(explaining, detector=finds(SMALL, MID))
    scores = [face.score for face in scorer.score(pixels).faces]
    for number, face in enumerate((MID, SMALL)):  # largest first, as in the scores
        shown = scorer.heat_map(pixels, face=number)
        frame = frame_around(face, TOY_SPEC)
        assert (shown.face, shown.frame) == (face, frame)
        expected = to_tensor(sample(pixels, frame, TOY_SPEC), TOY_SPEC).mean(0)
        assert shown.values.dtype == np.float32
        assert shown.values == pytest.approx(expected, abs=1e-6)
        assert shown.values.mean() == pytest.approx(scores[number], abs=1e-6)
    assert scorer.heat_map(pixels).face == MID
    whole = Scorer(explaining, faces="whole").heat_map(pixels)
    assert (whole.face, whole.frame) == (None, WHOLE)
    near = Scorer(explaining, detector=finds(framed()), min_face=5)
    taken = near.heat_map(picture(1, 64, 48))
    assert (taken.face, taken.frame) == (framed(), Box(0, 0, 48, 64))


def test_a_turned_face_is_measured_upright_and_mapped_as_it_lies(explaining: Path) -> None:
    pixels = picture()
    height, width = pixels.shape[:2]
    marks = [(MID.box.left + 12 * x, MID.box.top + 12 * y) for x, y in UPRIGHT + 0.5]
    upright = Face(MID.box, 0.9, tuple(marks))
    turned = turned_face(upright, -1, (width, height))
    clockwise = np.ascontiguousarray(np.rot90(pixels, -1))
    scorer, other = (
        Scorer(explaining, detector=finds(face), min_face=5, factors="resolution")
        for face in (upright, turned)
    )
    expected, seen = scorer.score(pixels).faces[0], other.score(clockwise).faces[0]
    assert seen.score == pytest.approx(expected.score) and seen.face == turned
    assert seen.factors == pytest.approx(dict(expected.factors))
    before, after = scorer.heat_map(pixels), other.heat_map(clockwise)
    assert np.array_equal(after.values, np.rot90(before.values, -1))
    assert after.frame.width == pytest.approx(before.frame.height)


def test_a_heat_map_that_cannot_be(explaining: Path, make_scorer: Callable[..., Path]) -> None:
    with pytest.raises(UsageError, match=r"no heat map.*facegauge export"):
        Scorer(make_scorer("plain"), faces="whole").heat_map(picture())
    with pytest.raises(UsageError, match="a number from 0 to 0, got 1"):
        Scorer(explaining, faces="whole").heat_map(picture(), face=1)
    with pytest.raises(PictureError, match="no face found") as caught:
        Scorer(explaining, detector=finds()).heat_map(picture())
    assert caught.value.status == "no_face"
    with pytest.raises(PictureError, match="no such file") as caught:
        Scorer(explaining).heat_map("nothing.png")
    assert caught.value.status == "unreadable"


def sources(tmp_path: Path) -> list[Any]:
    """All kinds of input, good and bad, with more pictures than a batch."""
    good = tmp_path / "good.png"
    Image.fromarray(picture(2)).save(good)
    bad = tmp_path / "bad.jpg"
    bad.write_text("no picture")
    many = [picture(seed, 40 + seed, 60) for seed in range(7)]
    return [str(good), bad, *many, tmp_path / "none.png", Image.fromarray(picture(3)), 7, good]


def test_order_is_kept_and_every_input_has_its_row(toy_scorer: Path, tmp_path: Path) -> None:
    given = sources(tmp_path)
    results = list(Scorer(toy_scorer, faces="whole", batch_size=3).score_iter(given))
    images = [f"<image {place}>" for place in range(len(given))]
    assert [result.path for result in results] == [
        *(str(given[0]), str(given[1]), *images[2:9]),
        *(str(given[9]), *images[10:12], str(given[12])),
    ]
    failed = [place for place, result in enumerate(results) if result.status != "ok"]
    assert failed == [1, 9, 11]
    assert all(results[place].status is Status.UNREADABLE for place in failed)
    for place in range(2, 9):
        pixels = given[place]
        whole = Box(0, 0, pixels.shape[1], pixels.shape[0])
        assert results[place].score == pytest.approx(by_hand(pixels, whole), abs=1e-6)


@pytest.mark.parametrize("options", [{"batch_size": 1}, {"batch_size": 4}, {"threads": 1}])
def test_neither_batch_size_nor_threads_nor_neighbours_change_a_score(
    toy_scorer: Path, options: dict[str, int]
) -> None:
    # six faces on the even pictures, none on the odd ones
    faces = [Face(Box(left, 20, left + 30, 60), 0.9) for left in range(0, 180, 30)]

    def detector(pixels: np.ndarray) -> list[Face]:
        return faces if pixels.shape[0] % 2 == 0 else []

    given = [picture(seed, 100 + seed, 240) for seed in range(9)]
    alone = Scorer(toy_scorer, detector=detector)
    expected = [[face.score for face in alone.score(pixels).faces] for pixels in given]
    assert [len(scores) for scores in expected] == [6, 0] * 4 + [6]
    results = Scorer(toy_scorer, detector=detector, **options).score_iter(given)
    for result, scores in zip(results, expected, strict=True):
        assert [face.score for face in result.faces] == pytest.approx(scores, abs=1e-5)


def test_an_error_in_one_picture_is_its_row(toy_scorer: Path) -> None:
    def detector(pixels: np.ndarray) -> list[Face]:
        if pixels.shape[0] == 50:
            raise RuntimeError("the detector\nfell over")
        return [MID]

    given = [picture(0), picture(0, 50), picture(0)]
    results = list(Scorer(toy_scorer, detector=detector).score_iter(given))
    assert [result.status.value for result in results] == ["ok", "error", "ok"]
    assert results[1].message == "RuntimeError: the detector fell over"
    assert results[1].height == 50


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ScorerError("no detector")])
def test_an_interrupt_or_a_broken_installation_ends_the_run(
    toy_scorer: Path, error: BaseException
) -> None:
    def detector(pixels: np.ndarray) -> list[Face]:
        raise error

    with pytest.raises(type(error)):
        list(Scorer(toy_scorer, detector=detector).score_iter([picture()] * 3))


def test_a_huge_picture_is_not_opened(toy_scorer: Path, grey: Callable[..., Path]) -> None:
    scorer = Scorer(toy_scorer, faces="whole", max_pixels=100)
    assert scorer.score(grey("a.png", 9, (11, 10))).status is Status.TOO_LARGE
    assert scorer.score(grey("b.png", 9, (10, 10))).status is Status.OK


def test_sources_are_read_lazily_and_few_are_held(toy_scorer: Path) -> None:
    taken = 0

    def endless() -> Iterator[np.ndarray]:
        nonlocal taken
        while True:
            taken += 1
            yield picture(0, 20, 20)

    scorer = Scorer(toy_scorer, faces="whole", threads=2, batch_size=4)
    results = scorer.score_iter(endless())
    for given_out in range(1, 30):
        next(results)
        assert taken <= given_out + 2 * 2 + 1
    results.close()  # type: ignore[attr-defined]
    assert not [t for t in threading.enumerate() if t.name.startswith("facegauge")]


def test_faceless_pictures_do_not_pile_up(toy_scorer: Path) -> None:
    scorer = Scorer(toy_scorer, detector=finds(), batch_size=2)
    results = scorer.score_iter(picture(0, 8, 8) for _ in iter(int, 1))  # without end
    assert next(results).status is Status.NO_FACE


def test_pictures_are_released_while_the_run_goes_on(toy_scorer: Path) -> None:
    import weakref

    alive: list[weakref.ref[Any]] = []

    def detector(pixels: np.ndarray) -> list[Face]:
        alive.append(weakref.ref(pixels))
        return [MID]

    scorer = Scorer(toy_scorer, detector=detector, threads=1, batch_size=100)
    results = list(scorer.score_iter(Image.fromarray(picture(seed)) for seed in range(20)))
    assert len(results) == len(alive) == 20
    assert sum(reference() is not None for reference in alive) <= 1


def test_a_picture_goes_from_file_to_score_in_one_thread(toy_scorer: Path) -> None:
    scorer = Scorer(toy_scorer, detector=finds(*[MID] * 5), threads=2, batch_size=2)
    seen: list[tuple[str, int]] = []
    network = scorer._predictor.predict

    def predict(images: np.ndarray, guide: np.ndarray | None = None) -> np.ndarray:
        seen.append((threading.current_thread().name, len(images)))
        return network(images, guide)

    scorer._predictor.predict = predict  # type: ignore[method-assign]
    results = list(scorer.score_iter(picture(seed) for seed in range(4)))
    assert [len(result.faces) for result in results] == [5] * 4
    assert all(name.startswith("facegauge") for name, _ in seen)
    assert sorted(count for _, count in seen) == [1] * 4 + [2] * 8  # no batch has two pictures


def test_the_two_stages_give_what_score_gives(toy_scorer: Path, tmp_path: Path) -> None:
    scorer = Scorer(toy_scorer, detector=finds(SMALL, MID), batch_size=3)
    given = [source for source in sources(tmp_path) if not isinstance(source, int)]
    prepared = pickle.loads(pickle.dumps([scorer.prepare(source) for source in given]))
    found = scorer.score_prepared(prepared)
    for source, one, result in zip(given, prepared, found, strict=True):
        assert result == scorer.score(source)
        assert (one.name, one.status, one.message) == (result.path, result.status, result.message)
        assert len(one.crops) == len(result.faces)
    assert scorer.score_prepared([]) == []
    assert {result.status for result in found} == {Status.OK, Status.UNREADABLE}


def test_what_was_prepared_for_another_scorer_is_refused(make_scorer: Callable[..., Path]) -> None:
    first = Scorer(make_scorer("first"), faces="whole")
    same = Scorer(make_scorer("same", scale=0.5), faces="whole")
    other = Scorer(make_scorer("other", spec=replace(TOY_SPEC, crops=3)), faces="whole")
    prepared = first.prepare(("mine", picture()))
    (half,), (full,) = same.score_prepared([prepared]), first.score_prepared([prepared])
    assert half.score == pytest.approx(full.score / 2, abs=1e-6)  # type: ignore[operator]
    with pytest.raises(UsageError, match=r"mine was prepared for another spec than that of toy;"):
        other.score_prepared([prepared])
    unreadable = first.prepare(b"")
    assert other.score_prepared([unreadable])[0].status is Status.UNREADABLE
    with pytest.raises(UsageError, match=r"from Scorer\.prepare, got ndarray; .* use score_iter"):
        first.score_prepared([picture()])  # type: ignore[list-item]
    with pytest.raises(UsageError, match="expected a list of prepared pictures"):
        first.score_prepared(prepared)  # type: ignore[arg-type]


def test_landmarks_must_have_been_searched_if_the_scorer_uses_them(
    toy_scorer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blind = Scorer(toy_scorer, faces="whole").prepare(picture())
    found = Scorer(toy_scorer, detector=finds(MID)).prepare(picture())
    pointed = Scorer(toy_scorer, faces="whole")
    monkeypatch.setattr(pointed._predictor, "uses_landmarks", True)
    with pytest.raises(UsageError, match="prepared without landmarks, which toy uses"):
        pointed.score_prepared([blind])
    assert pointed.score_prepared([found])[0].status is Status.OK


def every_kind(tmp_path: Path) -> dict[str, Any]:
    """One picture in all forms that a source may have."""
    torch = pytest.importorskip("torch")
    pixels = picture(5)
    path = tmp_path / "kinds.png"
    Image.fromarray(pixels).save(path)
    tensor = torch.from_numpy(pixels)
    return {
        "path": path,
        "text": str(path),
        "bytes": path.read_bytes(),
        "file": io.BytesIO(path.read_bytes()),
        "pil": Image.fromarray(pixels),
        "array": pixels,
        "floats": pixels / 255,
        "tensor": tensor,
        "channels first": tensor.permute(2, 0, 1),
        "float tensor": tensor.permute(2, 0, 1).float() / 255,
    }


def test_every_kind_of_source_has_the_same_score(toy_scorer: Path, tmp_path: Path) -> None:
    scorer = Scorer(toy_scorer, faces="whole")
    kinds = every_kind(tmp_path)
    expected = scorer.score(picture(5)).score
    for name, source in kinds.items():
        result = scorer.score(source)
        assert result.score == expected, name
        in_memory = name not in ("path", "text")
        assert result.path == ("<image 0>" if in_memory else str(kinds["path"])), name
    pairs = list(every_kind(tmp_path).items())
    results = list(scorer.score_iter(pairs))
    assert [result.path for result in results] == list(kinds)
    assert {result.score for result in results} == {expected}
    assert scorer.score(("mine", kinds["array"])).path == "mine"


def test_a_mistake_is_an_exception_alone_and_a_row_in_a_list(toy_scorer: Path) -> None:
    scorer = Scorer(toy_scorer, faces="whole")
    for mistake in (7, None, [picture()], (one for one in [picture()]), ("name", 7)):
        for stage in (scorer.score, scorer.prepare, scorer.heat_map):
            with pytest.raises(
                UsageError, match=r"expected one picture \(a path, .*got "
            ) as caught:
                stage(mistake)  # type: ignore[arg-type]
            assert "\n" not in str(caught.value)
    for one in (picture(), Image.fromarray(picture()), b"bytes", io.BytesIO(b"file"), 7):
        with pytest.raises(UsageError, match="expected a list of pictures, got"):
            scorer.score_iter(one)  # type: ignore[arg-type]
    found = list(scorer.score_iter([None, ("name", 7), picture()]))  # type: ignore[list-item]
    assert [result.status.value for result in found] == ["unreadable", "unreadable", "ok"]
    assert [result.path for result in found] == ["<image 0>", "name", "<image 2>"]
    assert "expected a path" in found[0].message and "got NoneType" in found[0].message
    batch = np.stack([picture(seed) for seed in range(3)])
    assert len(list(scorer.score_iter(batch))) == 3


def test_one_or_several_pictures_for_the_function(
    toy_scorer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = Scorer(toy_scorer, faces="whole")
    monkeypatch.setattr(default_module, "default_scorer", lambda: scorer)
    kinds = every_kind(tmp_path)
    for name, source in kinds.items():
        found = facegauge.score(source)
        assert isinstance(found, facegauge.ImageScore) and found.status is Status.OK, name
    for source in (kinds["array"], kinds["bytes"], kinds["pil"], kinds["tensor"]):
        named = facegauge.score(("mine", source))
        assert isinstance(named, facegauge.ImageScore) and named.path == "mine"
    path = str(kinds["path"])
    several = {
        "list": [path, path],
        "tuple of two paths": (path, path),
        "generator": (one for one in [path, path]),
        "glob": tmp_path.glob("*.png"),
        "set": {path},
        "keys": {path: 1}.keys(),
        "array of texts": np.array([path, path]),
        "batch": np.stack([picture(), picture()]),
        "tensor batch": kinds["channels first"][None],
        "pairs": [("a", path), ("b", kinds["array"])],
    }
    for name, sources in several.items():
        found = facegauge.score(sources)
        assert isinstance(found, list) and found, name
        assert {result.status for result in found} == {Status.OK}, name
    assert [result.path for result in facegauge.score(several["pairs"])] == ["a", "b"]
    with pytest.raises(UsageError, match=r"expected one picture \(.*got 7 \(int\)"):
        facegauge.score(7)  # type: ignore[call-overload]


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_column_is_a_list_of_pictures_and_results_are_a_frame(
    library: str,
    toy_scorer: Path,
    grey: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frames = importlib.import_module(library)
    scorer = Scorer(toy_scorer, faces="whole")
    monkeypatch.setattr(default_module, "default_scorer", lambda: scorer)
    paths = [str(grey("a.png", 51)), str(tmp_path / "none.png"), str(grey("b.png", 102))]
    table = frames.DataFrame({"path": paths})
    found = facegauge.score(table["path"])
    scores = [result.score for result in found]
    assert scores[1] is None and scores[::2] == pytest.approx([0.2, 0.4], abs=1e-5)
    frame = found.to_frame(library)
    assert type(frame) is type(table) and list(frame.columns) == list(COLUMNS.names)
    assert list(frame["status"]) == ["ok", "unreadable", "ok"] and list(frame["path"]) == paths
    assert frame["score"].mean() == pytest.approx(0.3, abs=1e-5)
    assert len(facegauge.ImageScores().to_frame(library)) == 0
    for mistake, remedy in ((table, "give one of its columns"), ({"a": paths[0]}, "its items()")):
        with pytest.raises(TypeError, match=re.escape(remedy)):
            facegauge.score(mistake)  # type: ignore[call-overload]


def test_a_frame_needs_a_library_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="expected library to be pandas or polars, got 'dask'"):
        facegauge.ImageScores().to_frame("dask")  # type: ignore[arg-type]
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for name in ("pandas", "polars"):
        with pytest.raises(UsageError, match=f"a data frame needs {name}: pip install {name}"):
            facegauge.ImageScores().to_frame(name)


def test_the_function_scores_the_pictures_of_folders(
    toy_scorer: Path, grey: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = Scorer(toy_scorer, faces="whole")
    monkeypatch.setattr(default_module, "default_scorer", lambda: scorer)
    inner, outer = grey("album/x/inner.png", 51), grey("album/y.png", 204)
    (outer.parent / "notes.txt").write_text("no picture")
    other = grey("other.png", 102)
    expected = [str(inner), str(outer)]
    for folder in (outer.parent, str(outer.parent)):
        assert [one.path for one in facegauge.score(folder)] == expected
    found = facegauge.score([other, outer.parent])
    assert [one.path for one in found] == [str(other), *expected]
    assert [row["path"] for row in found.rows()] == [str(other), *expected]


def test_factors_are_measured_with_the_score(toy_scorer: Path) -> None:
    class Corner:
        name, columns = "corner", (Column("corner", "int", "Red at the frame's corner."),)

        def measure(self, pixels: Any, face: Face | None, frame: Box) -> dict[str, int]:
            if face == SMALL:
                raise RuntimeError("too\nsmall")
            return {"corner": int(pixels[max(0, round(frame.top)), max(0, round(frame.left)), 0])}

    scorer = Scorer(toy_scorer, detector=finds(SMALL, MID), factors=["resolution", Corner()])
    pixels = picture()
    result = scorer.score(pixels)
    assert result.status is Status.OK
    assert result.message == "factor corner failed: RuntimeError: too small"
    frame = frame_around(MID, TOY_SPEC)
    corner = int(pixels[max(0, round(frame.top)), max(0, round(frame.left)), 0])
    assert [face.factors["corner"] for face in result.faces] == [corner, None]
    assert [face.factors["face_width"] for face in result.faces] == [40.0, 26.0]
    assert scorer.schema.names[-1] == "corner" and len(scorer.factors) == 2
    prepared = pickle.loads(pickle.dumps(scorer.prepare(pixels)))
    assert scorer.score_prepared([prepared]) == [result]
    assert scorer.score(b"").faces == ()


def test_one_path_is_not_a_list(toy_scorer: Path) -> None:
    with pytest.raises(UsageError, match=r"list of pictures.*'photo.jpg'"):
        next(Scorer(toy_scorer).score_iter("photo.jpg"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"faces": "some"}, "auto, all, largest, whole, got 'some'"),
        ({"batch_size": 0}, "batch_size to be 1 or more, got 0"),
        ({"threads": 0}, "threads"),
        ({"max_pixels": 0}, "max_pixels"),
    ],
)
def test_wrong_options(toy_scorer: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Scorer(toy_scorer, **options)


def test_a_damaged_scorer_is_noticed_before_the_run(toy_scorer: Path) -> None:
    (toy_scorer / "model.onnx").write_bytes(b"x")
    with pytest.raises(ScorerError, match="damaged"):
        Scorer(toy_scorer)


def test_threads_may_share_a_scorer(toy_scorer: Path) -> None:
    scorer = Scorer(toy_scorer, faces="whole", threads=1)
    given = [picture(seed) for seed in range(12)]
    expected = [scorer.score(pixels).score for pixels in given]
    with ThreadPoolExecutor(4) as pool:
        found = [result.score for result in pool.map(scorer.score, given)]
    assert found == expected


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork")
def test_processes_agree(toy_scorer: Path, method: str) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    scorer = Scorer(toy_scorer, faces="whole", threads=2)
    given = [picture(seed) for seed in range(3)]
    expected = [scorer.score(pixels).score for pixels in given]  # the parent's session is open
    with multiprocessing.get_context(method).Pool(1) as pool:
        results = pool.map_async(scorer.score, given).get(timeout=60)
    assert [result.score for result in results] == expected


def test_a_pickled_scorer_holds_no_session(toy_scorer: Path) -> None:
    scorer = Scorer(toy_scorer, faces="whole")
    copy = pickle.loads(pickle.dumps(scorer))
    assert copy._predictor.model._sessions == {}
    assert copy.score(picture()) == scorer.score(picture())


def test_the_public_functions_use_one_scorer(
    toy_scorer: Path, grey: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = Scorer(toy_scorer, faces="whole")
    for module in (default_module, selection):
        monkeypatch.setattr(module, "default_scorer", lambda: scorer)
    dark, light = grey("x/dark.png", 51), grey("x/y/light.png", 204)
    (dark.parent / "bad.png").write_text("bad")
    assert facegauge.score(dark).score == pytest.approx(0.2, abs=1e-5)
    assert [result.path for result in facegauge.score([light, dark])] == [str(light), str(dark)]
    assert facegauge.score([]) == []
    assert [result.path for result in facegauge.best(dark.parent)] == [str(light)]
    found = facegauge.best([str(dark), light], n=5)
    assert [result.score for result in found] == pytest.approx([0.8, 0.2], abs=1e-5)


def test_the_package_is_imported_lazily_and_completely() -> None:
    for name in facegauge.__all__:
        assert getattr(facegauge, name) is not None
    assert dir(facegauge) == facegauge.__all__
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = facegauge.nonsense


def test_other_options_share_the_network(toy_scorer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = Scorer(toy_scorer, detector=finds(SMALL, MID), factors=["resolution"])
    pixels = picture(1, 400, 300)
    scorer.score(pixels)
    monkeypatch.setattr(Model, "_open", lambda self: pytest.fail("the network was opened again"))
    other = scorer.with_options(faces="largest", min_face=5, factors=[])
    assert (other.faces, other.min_face, other.factors) == ("largest", 5, ())
    assert len(other.score(pixels).faces) == 1 and len(scorer.score(pixels).faces) == 2
    assert scorer.score(pixels).faces[0].factors and not other.score(pixels).faces[0].factors
    assert other.score(pixels).score == scorer.with_options(faces="largest").score(pixels).score
    assert [one.name for one in scorer.with_options(min_face=2).factors] == ["resolution"]
    with pytest.raises(UsageError, match="expected faces to be one of"):
        scorer.with_options(faces="some")


def test_a_heat_map_of_a_prepared_picture(
    explaining: Path, make_scorer: Callable[..., Path]
) -> None:
    scorer = Scorer(explaining, detector=finds(SMALL, MID))
    pixels = picture(1, 400, 300)
    prepared = scorer.prepare(pixels)
    for face in range(2):
        ours, again = scorer.heat_map(prepared, face), scorer.heat_map(pixels, face)
        assert np.array_equal(ours.values, again.values) and ours.frame == again.frame
    assert scorer.has_heat_map and not Scorer(make_scorer("plain")).has_heat_map
    with pytest.raises(UsageError, match="another spec"):
        Scorer(make_scorer("finer", spec=replace(TOY_SPEC, crops=3))).heat_map(prepared)
