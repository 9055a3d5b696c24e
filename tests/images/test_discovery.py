"""Pictures in folders: order, links, odd names."""

from __future__ import annotations

import io
import os
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facegauge.errors import PictureError
from facegauge.images.discovery import find_pictures
from facegauge.images.loading import open_picture
from facegauge.images.suffixes import in_words

RNG = np.random.default_rng(7)


PICTURE = RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)


def encoded(image: Image.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def failure(source: object, **options: int) -> PictureError:
    with pytest.raises(PictureError) as caught:
        open_picture(source, **options)  # type: ignore[arg-type]
    message = str(caught.value)
    assert message and "\n" not in message and len(message) < 250
    return caught.value


def tree(root: Path) -> Path:
    for name in (
        "b/2.JPG",
        "b/10.png",
        "b/notes.txt",
        "a.jpeg",
        "c.heic",
        ".hidden.jpg",
        ".h/x.jpg",
    ):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return root


def test_folders_give_their_pictures_in_order(tmp_path: Path) -> None:
    root = tree(tmp_path)
    expected = [str(root / n) for n in ("a.jpeg", "b/10.png", "b/2.JPG", "c.heic")]
    assert list(find_pictures([root])) == expected
    assert list(find_pictures(str(root))) == expected


def test_a_folder_named_twice_is_walked_once(tmp_path: Path) -> None:
    root = tree(tmp_path)
    expected = [str(root / n) for n in ("b/10.png", "b/2.JPG", "a.jpeg", "c.heic")]
    assert list(find_pictures([root / "b", root, root / "b"])) == expected


def test_files_are_passed_on_as_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path)
    monkeypatch.chdir(tmp_path)
    given = ["./b/notes.txt", "gone.jpg", ".hidden.jpg", "a.jpeg", "a.jpeg"]
    assert list(find_pictures(given)) == given
    assert list(find_pictures(["./b"])) == ["./b/10.png", "./b/2.JPG"]


def test_links_are_followed_loops_end_and_dangling_ones_get_a_row(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    (root / "sub").mkdir(parents=True)
    elsewhere.mkdir()
    (elsewhere / "far.png").write_bytes(b"")
    (root / "sub" / "near.png").write_bytes(b"")
    (root / "sub" / "up").symlink_to(root)
    (root / "sub" / "self").symlink_to(root / "sub" / "self")
    (root / "link").symlink_to(elsewhere)
    (root / "dead.jpg").symlink_to(root / "gone.jpg")
    (root / "round.jpg").symlink_to(root / "round.jpg")
    expected = [root / n for n in ("dead.jpg", "link/far.png", "round.jpg", "sub/near.png")]
    assert list(find_pictures([root])) == [str(path) for path in expected]
    assert failure(root / "round.jpg").status == "unreadable"


def test_a_folder_that_cannot_be_listed_is_not_silently_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, scandir = tree(tmp_path), os.scandir

    def refuse(path: str) -> object:
        if Path(path).name == "b":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)  # chmod means nothing to root
    assert list(find_pictures([root])) == [str(root / n) for n in ("a.jpeg", "b", "c.heic")]
    assert "Permission denied" in str(failure(root / "b"))


@pytest.mark.skipif(sys.platform != "linux", reason="file names are not bytes there")
def test_names_that_are_not_utf8_survive(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.png")
    path.write_bytes(encoded(Image.fromarray(PICTURE), "PNG"))
    (found,) = find_pictures([tmp_path])
    assert os.fsencode(found).endswith(b"/caf\xe9.png")
    np.testing.assert_array_equal(open_picture(found), PICTURE)


def test_finding_is_lazy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path)
    listed: list[str] = []
    scandir = os.scandir

    def watch(path: str) -> object:
        listed.append(Path(path).name)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", watch)
    found = find_pictures([tmp_path])
    assert listed == []
    next(found)
    assert "b" not in listed
    assert len(list(found)) == 3 and "b" in listed


ODD_NAMES = {
    "no_suffix": "PNG",
    "a.jpg_large": "JPEG",
    "a.jpg!d": "WEBP",
    "b.mpo": "JPEG",
    "image.php": "GIF",
    "scan.001": "TIFF",
    "old.rle": "BMP",
    "c.photo": "JPEG2000",
    "d.": "PNG",
}


def test_pictures_are_known_by_their_first_bytes_where_names_do_not_tell(tmp_path: Path) -> None:
    for name, format in ODD_NAMES.items():
        (tmp_path / name).write_bytes(encoded(Image.fromarray(PICTURE), format))
    left_out: Counter[str] = Counter()
    found = list(find_pictures([tmp_path], left_out))
    assert {Path(path).name for path in found} == set(ODD_NAMES)
    assert not left_out
    for path in found:
        assert open_picture(path).shape == PICTURE.shape


def test_what_is_not_yielded_is_counted_by_suffix(tmp_path: Path) -> None:
    png = encoded(Image.fromarray(PICTURE), "PNG")
    for name in ("a.DNG", "b.dng", "x/c.jxl", "notes.txt", "table.csv", "movie.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(png)  # known suffixes are not opened
    (tmp_path / "README").write_bytes(b"BMI and other words")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "dead").symlink_to(tmp_path / "gone")
    os.mkfifo(tmp_path / "pipe")  # reading it would wait for ever
    (tmp_path / "good.png").write_bytes(png)
    left_out: Counter[str] = Counter()
    assert list(find_pictures([tmp_path], left_out)) == [str(tmp_path / "good.png")]
    expected = {".dng": 2, ".jxl": 1, ".txt": 1, ".csv": 1, ".mp4": 1, "": 4}
    assert left_out == expected
    words = in_words(left_out)
    assert words.startswith("10 files left out: 2 .dng (camera raw), 1 .jxl (JPEG XL), 1 .mp4")
    assert "4 without a suffix" in words and "\n" not in words
    assert in_words(Counter()) == ""
    assert in_words(Counter({f".{n}": 1 for n in range(20)})).endswith("14 others")


def test_folders_of_programs_are_left_out_unless_given(tmp_path: Path) -> None:
    png = encoded(Image.fromarray(PICTURE), "PNG")
    system = [
        *("@eaDir", "a/@EADIR/x", "#recycle", "#snapshot/1", "@Recycle", "@Recently-Snapshot"),
        *("$RECYCLE.BIN", "System Volume Information", "__MACOSX", "lost+found", "b.lrdata/0"),
        *("P.photoslibrary/resources/derivatives", "P.photoslibrary/database", "appdata_ocx1"),
    ]
    kept = ["nas", "P.photoslibrary/originals/A", "Q.photoslibrary/Masters/2016", "a/resources"]
    for folder in (*system, *kept):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "p.png").write_bytes(png)
    left_out: Counter[str] = Counter()
    found = {
        str(Path(path).parent.relative_to(tmp_path)) for path in find_pictures([tmp_path], left_out)
    }
    assert found == set(kept)
    assert left_out.total() == len(system) and all(name.endswith("/") for name in left_out)
    assert in_words(left_out).startswith(f"{len(system)} system folders left out: #recycle, ")
    given = tmp_path / "@eaDir"
    assert list(find_pictures([given])) == [str(given / "p.png")]
    inside = tmp_path / "P.photoslibrary" / "resources"
    assert list(find_pictures([inside])) == [str(inside / "derivatives" / "p.png")]


@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        (["thumbs"], {"a.png", "b/c.png", "b/small_d.png"}),
        (["small_*"], {"a.png", "b/c.png", "b/thumbs/e.png"}),
        (["b/*.png"], {"a.png"}),
        (["b/thumbs/"], {"a.png", "b/c.png", "b/small_d.png"}),
        (["b", "A.PNG"], {"a.png"}),
        (["*.png"], set()),
    ],
)
def test_patterns_exclude_names_and_paths(
    tmp_path: Path, patterns: list[str], left: set[str]
) -> None:
    for name in ("a.png", "b/c.png", "b/small_d.png", "b/thumbs/e.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    left_out: Counter[str] = Counter()
    found = find_pictures([tmp_path], left_out, exclude=patterns)
    assert {str(Path(path).relative_to(tmp_path)) for path in found} == left
    assert not left_out
    named = [str(tmp_path / "a.png"), str(tmp_path / "b" / "thumbs" / "e.png")]
    assert list(find_pictures(named, exclude=patterns)) == named  # given by name
