"""The best pictures: each once, of equals the first, per folder, without excluded and copies."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import facegauge
from facegauge.errors import UsageError
from facegauge.results import FaceScore, ImageScore, Status
from facegauge.scorer import Scorer
from facegauge.selection import best, select
from toys import noise_picture

Write = Callable[..., Path]


def one(path: str, score: float) -> ImageScore:
    return ImageScore(path, Status.OK, (FaceScore(score, 0, 1, 50.0, "fair"),))


def paths(results: list[ImageScore]) -> list[str]:
    return [result.path for result in results]


def test_the_best_come_first_and_of_equals_the_first() -> None:
    scores = (0.3, 0.9, 0.3, 0.1, 0.9, 0.5, 0.3)
    results = [one(f"{number}.png", score) for number, score in enumerate(scores)]
    for n in range(1, 9):
        slow = sorted(results, key=lambda result: -(result.score or 0))[:n]
        assert paths(select(results, n)) == paths(slow)


def test_a_picture_counts_once_whatever_its_paths_are(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.png").symlink_to(tmp_path / "a.png")
    again = [str(tmp_path / "a.png"), str(tmp_path / "folder" / ".." / "a.png")]
    results = [one(path, 0.5) for path in [*again, str(tmp_path / "link.png")]]
    assert paths(select([*results, one("b.png", 0.1), *results], 3)) == [again[0], "b.png"]
    # one that was put aside for better ones does not come back
    better = [one(f"{number}.png", 0.9) for number in range(2)]
    assert paths(select([*results, *better, *results], 2)) == ["0.png", "1.png"]


def test_faceless_and_failed_pictures_never_count() -> None:
    results = [
        ImageScore("a.png", Status.NO_FACE),
        one("b.png", 0.0),
        ImageScore("c", Status.ERROR),
    ]
    assert paths(select(results, 3)) == ["b.png"]
    assert select(results[:1], 3) == []


def test_the_best_of_each_folder_and_without_the_excluded(tmp_path: Path) -> None:
    names = ("b/1", "a/1", "a/2", "b/2", "a/deep/1")
    results = [one(str(tmp_path / name), number / 10) for number, name in enumerate(names)]

    def chosen(**options: object) -> list[str]:
        found = select(results, per_folder=True, **options)  # type: ignore[arg-type]
        return [Path(path).relative_to(tmp_path).as_posix() for path in paths(found)]

    assert chosen() == ["a/2", "a/deep/1", "b/2"]
    assert chosen(n=2) == ["a/2", "a/1", "a/deep/1", "b/2", "b/1"]
    assert chosen(exclude=tmp_path / "a") == ["b/2"]
    assert chosen(exclude=[tmp_path / "a" / "deep", tmp_path / "b" / "2"]) == ["a/2", "b/1"]
    assert paths(select(results, 1, exclude=os.fspath(tmp_path / "a" / "deep"))) == [
        str(tmp_path / "b/2")
    ]


def test_the_function_and_the_verb_are_one(toy_scorer: Path, grey: Write) -> None:
    light, dark = grey("x/y/light.png", 204), grey("x/dark.png", 51)
    (dark.parent / "bad.png").write_text("bad")
    scorer = Scorer(toy_scorer, faces="whole")
    assert paths(facegauge.best(dark.parent, scorer=scorer)) == [str(light)]
    twice = best([dark, light, str(dark), dark.parent], n=5, scorer=scorer)
    assert paths(twice) == [str(light), str(dark)]
    assert paths(best(dark.parent, 5, scorer, exclude=light.parent)) == [str(dark)]
    assert paths(best(dark.parent, 5, scorer, per_folder=True)) == [str(dark), str(light)]
    with pytest.raises(UsageError, match="expected n to be 1 or more, got 0"):
        best(dark.parent, 0, scorer)
    with pytest.raises(UsageError, match="expected n to be 1 or more"):
        select([], 0)


def faces(path: str | Path, *scores: float) -> ImageScore:
    found = tuple(FaceScore(score, 0, 1, 50.0, "fair") for score in scores)
    return ImageScore(str(path), Status.OK, found)


def test_groups_count_by_the_best_the_worst_or_the_mean_face() -> None:
    results = [faces("a", 0.9, 0.1), faces("b", 0.6, 0.5), faces("c", 0.4)]
    assert paths(select(results, 3)) == ["a", "b", "c"]
    assert paths(select(results, 3, by="worst")) == ["b", "c", "a"]
    assert paths(select(results, 3, by="mean")) == ["b", "a", "c"]
    assert paths(select(results, 3, by="mean", min_score=0.5)) == ["b", "a"]
    with pytest.raises(UsageError, match="expected by to be one of best, worst, mean"):
        select(results, by="median")


def test_copies_of_a_better_picture_are_left_out(
    tmp_path: Path, grey: Write, caplog: pytest.LogCaptureFixture
) -> None:
    sharp, other = noise_picture(1), noise_picture(2)
    sharp.save(tmp_path / "sharp.png")
    sharp.resize((22, 28)).save(tmp_path / "small.jpg", quality=60)
    other.save(tmp_path / "other.png")
    plain, same = grey("plain.png", 90), grey("plain.bmp", 90)  # without any pattern
    order = ["small.jpg", "sharp.png", plain.name, same.name, "other.png", "gone.png"]
    results = [faces(tmp_path / name, 0.9 - place / 10) for place, name in enumerate(order)]

    def chosen(n: int, **options: bool) -> list[str]:
        return [Path(path).name for path in paths(select(results, n, **options))]

    with caplog.at_level("INFO"):
        assert chosen(9) == ["small.jpg", "plain.png", "other.png", "gone.png"]
    assert "left out as copies of better pictures: 2" in caplog.text
    assert chosen(2) == ["small.jpg", "plain.png"]
    assert chosen(9, keep_copies=True) == order


def test_copies_in_other_folders_count_in_theirs(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        noise_picture(1).save(tmp_path / folder / "1.png")
    results = [faces(tmp_path / name, 0.5) for name in ("a/1.png", "b/1.png")]
    assert len(select(results, 2)) == 1
    assert len(select(results, 2, per_folder=True)) == 2


def test_one_of_each_burst_even_where_a_shot_between_has_no_face() -> None:
    times = ("120000", "120002", "120004", "120010")
    names = [f"IMG_20240105_{time}.jpg" for time in times]
    results = [
        faces(names[0], 0.5),
        ImageScore(names[1], Status.NO_FACE),
        faces(names[2], 0.7),
        faces(names[3], 0.6),
    ]
    assert paths(select(results, 4, per_burst=True)) == [names[2], names[3]]
    assert len(select(results, 4)) == 3


def test_only_so_many_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facegauge.selection.HELD", 4)
    monkeypatch.setattr("facegauge.selection.HELD_FOR_EACH", 2)
    results = [faces(f"{number}.png", (number * 7 % 101) / 101) for number in range(101)]
    slow = sorted(results, key=lambda result: -(result.score or 0))
    assert paths(select(results, 3)) == paths(slow[:3])
