"""Tables of shards, joined: what is refused, and that the rows are those of one run."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from facegauge.errors import UsageError
from facegauge.results import Box, Face, FaceScore, ImageScore, Status
from facegauge.tables.merging import merge
from facegauge.tables.notes import notes_path, read_notes
from facegauge.tables.scores import open_table, read_rows
from facegauge.tables.shards import Listing, Shard

SETTINGS = {"facegauge": "1", "scorer": "toy", "sha256": "0", "faces": "auto"}
NAMES = [f"photos/{number}.jpg" for number in range(40)] + [
    "a,b\n.png", "caf\udce9.jpg", "=1+1.jpg", "file:x.png",
]  # fmt: skip


def result(name: str) -> ImageScore:
    """No face, one or two, by the name alone."""
    rng = random.Random(ascii(name))
    faces = tuple(
        FaceScore(
            score := rng.random(),
            score / 2,
            1.0,
            rng.uniform(0, 100),
            "fair",
            Face(Box(1, 2, 3 + rng.random(), 4), 0.9),
        )
        for _ in range(rng.randrange(3))
    )
    return ImageScore(name, Status.OK if faces else Status.NO_FACE, faces, "=x" * (not faces))


def write(table: Path, names: Iterable[str], shard: Shard | None, **options: Any) -> Path:
    """The table of a run over these names, in their order."""
    listing = Listing()
    with open_table(table, options.pop("settings", SETTINGS), shard=shard, **options) as rows:
        for name in names:
            listing.add(name)
            if shard is None or name in shard:
                rows.write(result(name))
        if shard is not None:
            rows.listed(listing)
    return table


@pytest.fixture
def shards(tmp_path: Path) -> Callable[..., list[Path]]:
    """Writes the parts of NAMES, each from the list in another order."""

    def make(count: int = 3, suffix: str = "csv", **options: Any) -> list[Path]:
        return [
            write(
                tmp_path / f"part-{number}.{suffix}",
                random.Random(number).sample(NAMES, len(NAMES)),
                Shard(number, count),
                **options,
            )
            for number in range(1, count + 1)
        ]

    return make


def rows(table: Path) -> list[str]:
    return sorted(json.dumps(row) for row in read_rows(table))


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("excel", [False, True])
def test_rows_and_notes_are_those_of_one_run(
    shards: Any, tmp_path: Path, suffix: str, excel: bool
) -> None:
    if excel and suffix != "csv":
        return
    whole = write(tmp_path / f"whole.{suffix}", NAMES, None, excel=excel)
    out = tmp_path / f"out.{suffix}"
    parts = shards(3, suffix, excel=excel)
    merged = merge(out, random.Random(0).sample(parts, 3))
    assert rows(out) == rows(whole)
    assert (merged.parts, merged.pictures, merged.rows) == (3, len(NAMES), len(rows(whole)))
    if suffix != "parquet":  # byte for byte, in another order
        assert sorted(out.read_bytes().split(b"\n")) == sorted(whole.read_bytes().split(b"\n"))
    assert read_notes(out).settings == read_notes(whole).settings
    again = merge(tmp_path / f"again.{suffix}", parts)  # in the order of the shards
    assert again == merged and list(read_rows(out)) == list(read_rows(tmp_path / f"again.{suffix}"))
    with open_table(out, SETTINGS, resume=True, excel=excel) as table:
        assert all(table.is_done(name) for name in NAMES)


def test_one_picture_has_its_rows_together_and_others_formats_can_be_written(
    shards: Any, tmp_path: Path
) -> None:
    parts = shards(2, "csv")
    merge(tmp_path / "out.jsonl", parts)
    assert rows(tmp_path / "out.jsonl") == rows(write(tmp_path / "whole.jsonl", NAMES, None))


def test_empty_shards_are_shards(tmp_path: Path) -> None:
    parts = [write(tmp_path / f"{n}.jsonl", ["a.jpg"], Shard(n, 5)) for n in range(1, 6)]
    assert merge(tmp_path / "out.jsonl", parts).pictures == 1


def test_a_picture_that_is_listed_twice_counts_twice(tmp_path: Path) -> None:
    twice = [NAMES[0], NAMES[0], NAMES[1]]
    parts = [write(tmp_path / f"{n}.jsonl", twice, Shard(n, 2)) for n in (1, 2)]
    assert merge(tmp_path / "out.jsonl", parts).pictures == 3


def refusal(out: Path, parts: list[Path], **options: Any) -> str:
    with pytest.raises(UsageError) as caught:
        merge(out, parts, **options)
    assert not out.exists() and "\n" not in str(caught.value)
    assert not list(out.parent.glob("*.new"))
    return str(caught.value)


def test_what_does_not_go_together_is_named(shards: Any, tmp_path: Path) -> None:
    out, parts = tmp_path / "out.csv", shards(4)
    one, two, three, four = parts
    said = refusal(out, [two, four])
    assert "of 4 shards there is no part for 1, 3" in said
    copy = tmp_path / "copy.csv"
    copy.write_bytes(two.read_bytes())
    notes_path(copy).write_bytes(notes_path(two).read_bytes())
    said = refusal(out, [*parts, copy])
    assert f"{two} and {copy} are both shard 2/4" in said
    other = write(tmp_path / "o.csv", NAMES, Shard(3, 4), settings={**SETTINGS, "faces": "all"})
    said = refusal(out, [one, two, other, four])
    assert f"{other} does not go with {one}: faces was 'auto', is 'all'" in said
    other = write(tmp_path / "p.csv", NAMES, Shard(3, 5))
    assert "the number of shards was 4, is 5" in refusal(out, [one, two, other, four])
    other = write(tmp_path / "q.csv", NAMES[1:], Shard(3, 4))
    said = refusal(out, [one, two, other, four])
    assert f"{other} does not go with {one}: it is of another list of pictures, 43 " in said
    whole = write(tmp_path / "whole.csv", NAMES, None)
    assert f"{whole} is no shard" in refusal(out, [one, two, whole, four])
    assert f"there is no {tmp_path / 'x.csv'}" in refusal(out, [tmp_path / "x.csv", two])
    notes_path(three).unlink()
    assert f"{three}: part-3.csv.settings.json" in refusal(out, parts)
    assert refusal(out, []) == "cannot merge: expected the tables of all shards, got none"


def test_all_that_is_wrong_is_in_one_message(shards: Any, tmp_path: Path) -> None:
    parts = shards(4)
    parts[1].write_bytes(parts[1].read_bytes() + b"more\n")
    parts[2].write_bytes(parts[2].read_bytes()[:-9])
    said = refusal(tmp_path / "out.csv", [*parts[1:], tmp_path / "none.csv"])
    assert f"there is no {tmp_path / 'none.csv'}" in said
    assert all(f"{part} has " in said for part in parts[1:3]) and f"{parts[3]} has " not in said
    assert said.count("cut or changed since") == 2


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_parts_that_are_not_finished_are_named(shards: Any, tmp_path: Path, suffix: str) -> None:
    parts = shards(2, suffix)
    with pytest.raises(KeyboardInterrupt):
        write_stopped(parts[1])
    said = refusal(tmp_path / f"out.{suffix}", parts)
    assert said == (f"cannot merge: {parts[1]} is not finished: repeat its command with --resume")
    resumed = write(parts[1], NAMES[1:], Shard(2, 2), resume=True)
    assert resumed.exists() and read_notes(resumed).finished == resumed.stat().st_size


def write_stopped(table: Path) -> None:
    """A run that Ctrl-C stops after a picture."""
    shard = Shard(2, 2)
    with open_table(table, SETTINGS, shard=shard, overwrite=True) as rows:
        rows.write(result(next(name for name in NAMES if name in shard)))
        raise KeyboardInterrupt


def test_another_shard_does_not_resume_a_table(shards: Any) -> None:
    part = shards(2)[0]
    with pytest.raises(UsageError, match="shard was '1/2', is '2/2'"):
        open_table(part, SETTINGS, shard=Shard(2, 2), resume=True)


def test_a_row_of_another_shard_is_named(shards: Any, tmp_path: Path) -> None:
    parts = shards(2)
    strange = next(name for name in NAMES if name in Shard(2, 2))
    text = parts[0].read_bytes() + strange.encode() + b",,no_face" + b"," * 12 + b"\n"
    parts[0].write_bytes(text)
    notes = json.loads(notes_path(parts[0]).read_text())
    notes_path(parts[0]).write_text(json.dumps(notes | {"finished": len(text)}))
    said = refusal(tmp_path / "out.csv", parts)
    assert said.endswith(f"and has {strange}, which belongs to shard 2/2")


def test_the_table_that_is_there_stays(shards: Any, tmp_path: Path) -> None:
    parts, out = shards(2), tmp_path / "out.csv"
    out.write_text("mine")
    with pytest.raises(UsageError, match="--overwrite"):
        merge(out, parts)
    with pytest.raises(UsageError, match="is one of the parts"):
        merge(parts[0], parts, overwrite=True)
    with pytest.raises(UsageError, match="no part for 2"):
        merge(out, parts[:1], overwrite=True)
    assert out.read_text() == "mine"
    assert merge(out, parts, overwrite=True).pictures == len(NAMES)
    if os.name == "posix" and os.getuid():
        tmp_path.chmod(0o500)
        with pytest.raises(UsageError, match="cannot write"):
            merge(out, parts, overwrite=True)
        tmp_path.chmod(0o700)
