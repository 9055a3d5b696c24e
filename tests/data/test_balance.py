"""As many pictures of each group."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from commands import run
from facegauge.data.balance import balance
from facegauge.data.manifests import Manifest, load_manifest
from facegauge.errors import UsageError


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    """12 women, 7 men, 5 and 14 of each age, some crossings rare."""
    lines = ["image,sex,age,note"]
    for number in range(19):
        sex = "f" if number < 12 else "m"
        age = "old" if number % 4 == 0 else "young"
        (tmp_path / f"{number:02}.png").touch()
        lines.append(f"{number:02}.png,{sex},{age},n{number}")
    (tmp_path / "list.csv").write_text("\n".join(lines))
    return load_manifest(tmp_path / "list.csv")


def test_each_group_has_as_many_in_the_order_of_the_list(manifest: Manifest) -> None:
    chosen = balance(manifest, "sex", 5, seed=1)
    assert Counter(chosen.group("sex")) == {"f": 5, "m": 5}
    assert list(chosen.paths) == sorted(chosen.paths)
    assert balance(manifest, "sex", 5, seed=1).paths == chosen.paths
    assert balance(manifest, "sex", 5, seed=2).paths != chosen.paths


def test_crossings_and_the_smallest_group(manifest: Manifest) -> None:
    chosen = balance(manifest, "sex,age")
    pairs = Counter(zip(chosen.group("sex"), chosen.group("age"), strict=True))
    assert set(pairs.values()) == {2} and len(pairs) == 4


@pytest.mark.parametrize(
    ("by", "n", "message"),
    [
        ("sex,age", 3, "expected 3 pictures of each group; there are: m, old 2"),
        ("height", None, "no column height"),
        ("sex", 0, "n to be 1 or more"),
        (",", 1, "expected a group column"),
    ],
)
def test_what_cannot_be(manifest: Manifest, by: str, n: int | None, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        balance(manifest, by, n)


def test_the_command_keeps_all_columns(manifest: Manifest, tmp_path: Path) -> None:
    out = tmp_path / "balanced.csv"
    done = run("data", "balance", manifest.source, "--by", "sex,age", "--n", "2", "--seed", "3",
               "-o", out)  # fmt: skip
    assert done.exit_code == 0 and "8 pictures, 2 of each of 4 groups" in done.stderr
    written = load_manifest(out)
    assert len(written) == 8 and written.group("note")[0].startswith("n")
    assert written.paths == balance(manifest, "sex,age", 2, 3).paths
