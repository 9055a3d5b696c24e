"""Pictures in folders: order, links, odd names."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facegauge.errors import PictureError
from facegauge.images.discovery import find_pictures
from facegauge.images.loading import open_picture

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
