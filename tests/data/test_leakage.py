"""Leaks: what two splits or two lists share, and what happens to it."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from facegauge.data.leakage import (
    SHOWN_LEAKS,
    _near_duplicates,
    check_leakage,
    refuse_leaks,
    without_leaks,
)
from facegauge.errors import UsageError
from facegauge.images.likeness import thumbnail
from toys import load_list as load
from toys import noise_picture as picture


def labelled(folder, names, splits, identities):
    rows = [f"{n},{s},{i}" for n, s, i in zip(names, splits, identities, strict=True)]
    return load(folder, "image,split,identity\n" + "\n".join(rows) + "\n")


def test_leaks_are_found_across_splits_and_only_there(folder):
    original = picture(5, (178, 218))
    original.save(folder / "o.png")
    shutil.copy(folder / "o.png", folder / "copy.png")
    original.resize((100, 122)).save(folder / "small.jpg", quality=40)
    original.filter(ImageFilter.GaussianBlur(2)).save(folder / "soft.png")
    names = ["o.png", "copy.png", "small.jpg", "soft.png", "b.png"]
    found = check_leakage(
        labelled(folder, names, ["train", "val", "val", "train", "val"], ["1", "2", "3", "4", "4"])
    )
    pairs = {(leak.kind, leak.first.name, leak.second.name) for leak in found}
    assert pairs == {
        ("same file", "o.png", "copy.png"),
        ("near duplicate", "o.png", "small.jpg"),
        ("near duplicate", "copy.png", "soft.png"),
        ("near duplicate", "small.jpg", "soft.png"),
        ("same person", "soft.png", "b.png"),
    }
    assert str(found[0]).startswith("same file: ") and " in train, " in str(found[0])
    assert check_leakage(labelled(folder, names, ["train"] * 5, ["1"] * 5)) == []
    assert check_leakage(load(folder, "image\nb.png\n")) == []
    nameless = labelled(folder, ["soft.png", "b.png"], ["train", "val"], ["", ""])
    assert check_leakage(nameless) == []  # nobody is the same person as nobody


def test_near_duplicates_are_found_in_blocks_of_any_size():
    thumbs = np.eye(6, dtype=np.float32)[[0, 1, 2, 1, 3, 0, 2]]
    paths, sides = [Path(str(n)) for n in range(7)], ["train"] * 4 + ["val"] * 3
    whole = _near_duplicates(paths, sides, thumbs, 0.9)
    assert {(leak.first.name, leak.second.name) for leak in whole} == {("0", "5"), ("2", "6")}
    assert sorted(map(str, _near_duplicates(paths, sides, thumbs, 0.9, block=2))) == sorted(
        map(str, whole)
    )


def test_two_manifests_share_pictures_but_not_people(folder):
    shutil.copy(folder / "b.png", folder / "again.png")
    first = load(folder, "image,identity\nb.png,1\nc.png,2\n")
    second = load(folder, "image,identity\nagain.png,9\n000012.png,2\n")
    (leak,) = check_leakage(first, second)
    assert (leak.kind, leak.first.name, leak.second.name) == ("same file", "b.png", "again.png")


def test_an_unreadable_picture_is_named(folder):
    (folder / "bad.png").write_bytes(b"not a picture")
    with pytest.raises(UsageError, match=r"bad\.png"):
        check_leakage(load(folder, "image,split\nbad.png,train\nb.png,val\n"))


def test_between_two_manifests_unreadable_pictures_are_passed_over(folder):
    (folder / "bad.png").write_bytes(b"not a picture")
    first = load(folder, "image\nbad.png\nb.png\n")
    second = load(folder, "image\nc.png\nbad.png\nb.png\n")
    (leak,) = check_leakage(first, second)
    assert leak.second.name == "b.png"


def test_thumbnails_correlate():
    a, b = (np.asarray(picture(seed, (64, 64))) for seed in (1, 2))
    grey = [np.asarray(Image.fromarray(x).convert("L").reduce(2), float).ravel() for x in (a, b)]
    assert thumbnail(a) @ thumbnail(b) == pytest.approx(np.corrcoef(*grey)[0, 1], abs=0.01)
    assert thumbnail(a) @ thumbnail(a) == pytest.approx(1)
    assert not thumbnail(np.full((9, 9, 3), 7, np.uint8)).any()


def test_leaks_between_splits_are_refused_and_the_first_are_listed(folder):
    refuse_leaks(load(folder, "image,split\nb.png,train\nc.png,val\n"))
    refuse_leaks(load(folder, "image\nb.png\nc.png\n"))
    people = SHOWN_LEAKS + 2
    rows = []
    for number in range(people):
        for split in ("train", "val"):
            name = f"{split}{number}.png"
            picture(100 + 2 * number + (split == "val")).save(folder / name)
            rows.append(f"{name},{split},p{number}")
    leaking = load(folder, "image,split,identity\n" + "\n".join(rows) + "\n")
    with pytest.raises(UsageError) as refused:
        refuse_leaks(leaking)
    message = str(refused.value)
    assert message.startswith(f"{leaking.source}: leaks between splits: {people}; ")
    assert message.count("same person") == SHOWN_LEAKS and "and 2 more" in message
    assert "--allow-leakage" in message and "allow_leakage=True" in message


def test_pictures_of_other_lists_are_left_out_and_logged(folder, caplog):
    shutil.copy(folder / "b.png", folder / "again.png")
    picture(1).resize((30, 38)).save(folder / "nearly.png")
    val, other = load(folder, "image\nb.png\n"), load(folder, "image\nc.png\n")
    names = "image\nagain.png\n000012.png\nc.png\nnearly.png\n"
    with caplog.at_level(logging.WARNING, "facegauge"):
        kept = without_leaks(load(folder, names), [val, other])
    assert [path.name for path in kept.paths] == ["000012.png"]
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 3 and all(line.startswith("left out: ") for line in messages)
    assert any("same file" in line and "again.png" in line for line in messages)
    assert any("near duplicate" in line and "nearly.png" in line for line in messages)
    everything = load(folder, names)
    assert without_leaks(everything, []).paths == everything.paths
