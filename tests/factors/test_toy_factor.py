"""A factor of one's own, from the pixels to every place where its values appear."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from facegauge import Box, Column, Face, Scorer
from facegauge.arrays import Pixels
from facegauge.errors import UsageError
from facegauge.tables.scores import read_rows, read_schema


class Brightness:
    """The factor of the package's docstring, with a word for the value."""

    name = "brightness"
    columns = (
        Column("brightness", "float", "Mean of the frame's pixels, 0 to 255."),
        Column("light", "str", "dark or bright."),
    )

    def measure(self, pixels: Pixels, face: Face | None, frame: Box) -> Mapping[str, object]:
        top, left = max(0, round(frame.top)), max(0, round(frame.left))
        mean = pixels[top : round(frame.bottom), left : round(frame.right)].mean()
        if mean == 153:
            raise RuntimeError("no luck")
        return {"brightness": mean, "light": "dark" if mean < 100 else "bright"}


def halves(pixels: Pixels) -> list[Face]:
    """A face on the left and a smaller one on the right."""
    return [Face(Box(0, 0, 48, 64), 0.9), Face(Box(52, 4, 96, 60), 0.8)]


@pytest.fixture
def scorer(toy_scorer: Path) -> Scorer:
    return Scorer(toy_scorer, faces="all", detector=halves, factors=[Brightness(), "resolution"])


def test_its_values_are_in_the_result(scorer: Scorer, grey: Callable[..., Path]) -> None:
    result = scorer.score(grey("a.png", 51, (96, 128)))
    first, second = result.faces
    assert first.factors["brightness"] == second.factors["brightness"] == 51.0
    assert first.factors["light"] == "dark"
    assert (first.factors["face_width"], second.factors["face_width"]) == (48, 44)
    plain = json.loads(json.dumps(result.to_dict()))
    assert plain["faces"][1]["factors"] == second.factors
    assert result.rows(scorer.schema)[1]["brightness"] == 51.0


def test_prepared_pictures_carry_the_values_to_another_process(
    scorer: Scorer, toy_scorer: Path, grey: Callable[..., Path]
) -> None:
    prepared = scorer.prepare(grey("a.png", 51, (96, 128)))
    (result,) = scorer.score_prepared([pickle.loads(pickle.dumps(prepared))])
    assert result == scorer.score(grey("a.png", 51, (96, 128)))
    assert result.faces[0].factors["light"] == "dark"
    plain = Scorer(toy_scorer, faces="all", detector=halves)
    assert plain.score_prepared([prepared])[0].faces[1].factors == result.faces[1].factors


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_its_columns_are_in_every_format_and_survive_resuming(
    scorer: Scorer, grey: Callable[..., Path], tmp_path: Path, suffix: str
) -> None:
    pictures = [str(grey(f"{level}.png", level, (96, 128))) for level in (51, 153, 204)]
    (tmp_path / "broken.png").write_bytes(b"no picture")
    pictures.insert(1, str(tmp_path / "broken.png"))
    file = tmp_path / f"t.{suffix}"
    with scorer.open_table(file) as table:
        for result in scorer.score_iter(pictures[:2]):
            table.write(result)
    with scorer.open_table(file, resume=True) as table:
        rest = [picture for picture in pictures if not table.is_done(picture)]
        assert rest == pictures[2:]
        for result in scorer.score_iter(rest):
            table.write(result)
    assert read_schema(file) == scorer.schema
    rows = list(read_rows(file))
    assert [row["brightness"] for row in rows] == [51.0, 51.0, None, None, None, 204.0, 204.0]
    assert [row["light"] for row in rows] == ["dark"] * 2 + [None] * 3 + ["bright"] * 2
    assert [row["face_width"] for row in rows] == [48, 44, None, 48, 44, 48, 44]
    assert [row["status"] for row in rows] == ["ok", "ok", "unreadable", *["ok"] * 4]
    assert rows[3]["message"] == "factor brightness failed: RuntimeError: no luck"
    whole = tmp_path / f"whole.{suffix}"
    with scorer.open_table(whole) as table:
        for result in scorer.score_iter(pictures):
            table.write(result)
    assert list(read_rows(whole)) == rows


def test_other_factors_are_refused_on_resuming(
    scorer: Scorer, toy_scorer: Path, grey: Callable[..., Path], tmp_path: Path
) -> None:
    with scorer.open_table(tmp_path / "t.csv") as table:
        table.write(scorer.score(grey("a.png", 51, (96, 128))))
    other = Scorer(toy_scorer, faces="all", detector=halves, factors=["resolution"])
    message = r"factors was \['brightness', 'resolution'\], is \['resolution'\]; repeat the old"
    with pytest.raises(UsageError, match=message):
        other.open_table(tmp_path / "t.csv", resume=True)
    with pytest.raises(UsageError, match=r"factors was .*, is None"):
        Scorer(toy_scorer, faces="all").open_table(tmp_path / "t.csv", resume=True)
