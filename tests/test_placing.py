"""Files that are put into folders: whole, under free names, each folder's apart."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from facegauge.errors import UsageError
from facegauge.placing import Place

Write = Callable[..., Path]


def test_a_copy_that_fails_leaves_no_part_behind(
    grey: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: Path, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", full)
    with pytest.raises(UsageError, match="No space left"):
        Place(tmp_path / "chosen", ()).copy(grey("a.png", 50))
    assert not any((tmp_path / "chosen").iterdir())


def test_a_copy_without_its_dates_is_a_copy(
    grey: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As on shares that refuse chmod and utime."""

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.chmod", refused)
    monkeypatch.setattr("os.utime", refused)
    picture, chosen = grey("a.png", 50), tmp_path / "chosen"
    assert Place(chosen, ()).copy(picture).read_bytes() == picture.read_bytes()
    assert "a.png is copied without its dates: Operation not permitted" in caplog.text
    assert [file.name for file in chosen.iterdir()] == ["a.png"]


@pytest.mark.parametrize("links", [True, False])
def test_a_copy_appears_whole_and_replaces_nothing(
    grey: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    if not links:
        monkeypatch.setattr(Path, "hardlink_to", refused)
    picture, chosen = grey("a.png", 50), tmp_path / "chosen"
    real, seen = shutil.copyfile, []

    def watched(source: Path, target: Path) -> None:
        real(source, target)
        seen.extend(file.name for file in chosen.iterdir() if not file.name.startswith("."))

    monkeypatch.setattr("shutil.copyfile", watched)
    Place(chosen, ()).copy(picture)
    (chosen / "a.png").write_bytes(b"mine")
    (chosen / "a-2.png").symlink_to("nowhere")
    assert Place(chosen, ()).copy(picture).name == "a-3.png"
    assert sorted(seen) == ["a-2.png", "a.png"]
    assert (chosen / "a.png").read_bytes() == b"mine" and (chosen / "a-2.png").is_symlink()
    assert len(list(chosen.iterdir())) == 3


def test_what_is_there_is_not_copied_again(grey: Write, tmp_path: Path) -> None:
    place, picture = Place(tmp_path / "out", ()), grey("a.png", 50)
    first = place.copy(picture)
    assert place.copy(picture) == first
    other = grey("b/a.png", 90)
    assert [place.copy(one).name for one in (other, picture, other)] == [
        *("a-2.png", "a.png", "a-2.png")
    ]
    assert place.write(picture, "a.png", lambda path: path.write_bytes(b"new")).name == "a-3.png"
    (tmp_path / "out" / "c.png").mkdir()  # a folder has no content to compare
    assert place.write(picture, "c.png", lambda path: path.write_bytes(b"")).name == "c-2.png"
    assert len(list((tmp_path / "out").iterdir())) == 5


def test_folders_stay_apart_below_what_all_sources_share(grey: Write, tmp_path: Path) -> None:
    pictures = [grey(name, 50) for name in ("in/a/1.png", "in/b/1.png", "in/1.png")]

    def placed(*sources: str) -> list[str]:
        place = Place(tmp_path / "out", [tmp_path / source for source in sources])
        return [os.path.relpath(place.beside(one), tmp_path / "out") for one in pictures]

    assert placed("in") == ["a", "b", "."]
    assert placed("in/a", "in/b/1.png") == ["a", "b", "."]
    assert placed("in/a", "other") == ["in/a", "in/b", "in"]
    assert placed("in/a") == [".", ".", "."]  # a link's target or the like: never outside
    copies = [Place(tmp_path / "out", [tmp_path / "in"]).copy(one) for one in pictures]
    assert [one.relative_to(tmp_path / "out").as_posix() for one in copies] == [
        *("a/1.png", "b/1.png", "1.png")
    ]


def test_a_place_knows_what_is_in_it(tmp_path: Path) -> None:
    place = Place(tmp_path / "out", ())
    (tmp_path / "link").symlink_to(tmp_path / "out")
    assert place.holds(tmp_path / "out" / "deep" / "a.png") and place.holds(tmp_path / "link/a.png")
    assert not place.holds(tmp_path / "outside.png")


def test_a_folder_that_cannot_be_made_or_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot make the folder"):
        Place(tmp_path / "file", ())
    place = Place(tmp_path / "out", ())
    shutil.rmtree(tmp_path / "out")
    (tmp_path / "out").write_text("")
    with pytest.raises(UsageError, match=r"cannot write a\.png to"):
        place.write(Path("a.png"), "a.png", lambda path: path.touch())
