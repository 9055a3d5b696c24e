"""What may stand for a picture, and what is refused as a caller's mistake."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import facegauge
from facegauge.errors import PictureError, UsageError
from facegauge.images.loading import open_picture
from facegauge.images.sources import check_source, check_sources, is_picture, named, paths_of

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
ONE: list[Any] = [
    "a.jpg",
    Path("a.jpg"),
    b"bytes",
    bytearray(b"bytes"),
    io.BytesIO(b"file"),
    Image.fromarray(PIXELS),
    PIXELS,
    np.zeros((2, 2)),
    np.zeros(3),
]
SEVERAL: list[Any] = [
    ["a.jpg"],
    (path for path in ["a.jpg"]),
    {"a.jpg"},
    np.zeros((2, 5, 7, 3)),
    np.array(["a.jpg", "b.jpg"]),
    np.array([Path("a.jpg")], object),
    (),
]


@pytest.mark.parametrize("source", ONE, ids=lambda source: type(source).__name__)
def test_one_picture(source: Any) -> None:
    assert is_picture(source)
    check_source(source)
    check_source(("name", source))
    with pytest.raises(UsageError, match="expected a list of pictures, got"):
        check_sources(source)


@pytest.mark.parametrize("source", SEVERAL, ids=lambda source: type(source).__name__)
def test_several_pictures(source: Any) -> None:
    assert not is_picture(source)
    check_sources(source)
    with pytest.raises(UsageError, match=r"expected one picture \(a path, .*use score_iter$"):
        check_source(source)


@pytest.mark.parametrize("source", [7, None, 0.5, object()], ids=repr)
def test_neither(source: Any) -> None:
    for check in (check_source, check_sources):
        with pytest.raises(UsageError, match=r"expected .* picture") as caught:
            check(source)
        assert "\n" not in str(caught.value) and type(source).__name__ in str(caught.value)


def test_names() -> None:
    assert named("a.jpg", 3) == ("a.jpg", "a.jpg")
    assert named(Path("b/a.jpg")) == (str(Path("b/a.jpg")), Path("b/a.jpg"))
    assert named(b"bytes", 3) == ("<image 3>", b"bytes")
    assert named(("mine", b"bytes"), 3) == ("mine", b"bytes")
    assert named(("mine", "a.jpg"), 3) == ("mine", "a.jpg")


def test_tensors_with_channels_first_or_last() -> None:
    torch = pytest.importorskip("torch")
    last = torch.from_numpy(PIXELS)
    first = last.permute(2, 0, 1)
    for tensor in (last, first, first.contiguous(), first / 255, (last / 255).double()):
        assert is_picture(tensor)
        np.testing.assert_array_equal(open_picture(tensor), PIXELS)
    values = (first / 255).requires_grad_()
    np.testing.assert_array_equal(open_picture(values), PIXELS)
    for low in (torch.float16, torch.bfloat16):
        found = open_picture((first / 255).to(low)).astype(int)
        assert np.abs(found - PIXELS).max() <= 1
    grey = last[..., 0]
    expected = np.repeat(PIXELS[..., :1], 3, 2)
    for tensor in (grey, grey[None], grey[..., None]):
        np.testing.assert_array_equal(open_picture(tensor), expected)
    both = torch.zeros(3, 9, 3)
    assert open_picture(both).shape == (9, 3, 3)  # channels first

    batch = first[None]
    assert not is_picture(batch)
    check_sources(batch)
    with pytest.raises(UsageError, match=r"got a tensor of shape \(1, 3, 5, 7\); .*score_iter"):
        check_source(batch)
    with pytest.raises(PictureError, match=r"expected a tensor \(3, H, W\), .* got \(5, 7, 9\)"):
        open_picture(torch.zeros(5, 7, 9))
    with pytest.raises(PictureError, match=r"with values in 0\.\.1"):
        open_picture(first.float())
    with pytest.raises(PictureError, match="uint8, uint16 or floats"):
        open_picture(first.long())
    with pytest.raises(PictureError, match="cannot read the tensor"):
        open_picture(torch.zeros(3, 5, 5).to_sparse())


def test_torch_is_not_imported_for_tensors() -> None:
    code = (
        "import sys, numpy as np\n"
        "from facegauge.images.loading import open_picture\n"
        "open_picture(np.zeros((5, 7, 3), np.uint8))\n"
        "assert not any(name.split('.')[0] == 'torch' for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


GREY = np.zeros((8, 6, 3))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("https://example.org/a.jpg", "URLs are not fetched; download"),
        ("s3://bucket/a.jpg", "URLs are not fetched; download"),
        ("FILE:///home/a.jpg", "give the path without file://"),
        ("data:image/png;base64,iVBO", "decode the data URL"),
        ("album/*.jpg", "use Path.glob"),
        ("~/a.jpg", "use Path.expanduser"),
        ("", "the path is empty"),
        (np.zeros((3, 8, 6), np.uint8), "use array.transpose(1, 2, 0)"),
        (GREY + 200, "divide by 255"),
        (GREY - 1, "use array / 2 + 0.5"),
        (GREY.astype(bool), "use array * np.uint8(255)"),
        (GREY.astype(int) + 255, "use array.astype(np.uint8)"),
        (io.StringIO("text"), "open it in binary mode"),
    ],
    ids=lambda value: str(value)[:20] if isinstance(value, str) else type(value).__name__,
)
def test_messages_say_what_to_do(source: Any, said: str) -> None:
    with pytest.raises(PictureError, match=re.escape(said)):
        open_picture(source)


@pytest.mark.parametrize(
    ("source", "ending"),
    [
        ("C:/a.jpg", "no such file"),
        ("gone.jpg", "no such file"),
        (np.zeros((3, 8, 5, 6), np.uint8), "got (3, 8, 5, 6)"),
        (GREY + 300, "got 300..300"),
        (GREY.astype(int) - 1, "got int64"),
        (GREY * np.nan, "got nan..nan"),
    ],
    ids=str,
)
def test_messages_promise_no_remedy_that_does_not_help(source: Any, ending: str) -> None:
    with pytest.raises(PictureError) as caught:
        open_picture(source)
    assert str(caught.value).endswith(ending)


def test_what_is_done_as_told_is_read() -> None:
    first = np.arange(3 * 8 * 6, dtype=np.uint8).reshape(3, 8, 6)
    assert open_picture(first.transpose(1, 2, 0)).shape == (8, 6, 3)
    assert open_picture((GREY + 255.0) / 255).min() == 255
    assert open_picture((GREY - 1) / 2 + 0.5).max() == 0
    assert open_picture((GREY == 0) * np.uint8(255)).min() == 255


def test_paths() -> None:
    assert list(paths_of("a")) == ["a"]
    assert list(paths_of(one for one in ("a", Path("b")))) == ["a", Path("b")]
    for mistake, remedy in (
        (None, "got NoneType"),
        (7, "got 7 (int)"),
        ({"a": "b"}, "give its values()"),
        (b"bytes", "for pictures in memory use score"),
        (np.zeros((8, 6, 3)), "for pictures in memory use score"),
        ([GREY], "got an array of shape (8, 6, 3) among them; for pictures in memory use score"),
        (["a", None], "got NoneType among them"),
    ):
        with pytest.raises(TypeError, match=re.escape(remedy)):
            list(paths_of(mistake))


def test_functions_refuse_what_they_cannot_take() -> None:
    with pytest.raises(TypeError, match="open the file in binary mode"):
        check_source(io.StringIO("text"))  # type: ignore[arg-type]
    for wrong in (None, 3, GREY, ["a.jpg"]):
        with pytest.raises(TypeError, match="expected a folder with pictures, a table of scores"):
            facegauge.compare(wrong, "b")  # type: ignore[arg-type]
    for wrong in (None, 3):
        with pytest.raises(TypeError, match="expected the name of a shipped scorer or the folder"):
            facegauge.Scorer(wrong)  # type: ignore[arg-type]
    for wrong in (None, 3, ["a.jpg"]):
        with pytest.raises(TypeError, match="expected one picture"):
            facegauge.explain(wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="give its values"):
        facegauge.best({"a": "a.jpg"})
