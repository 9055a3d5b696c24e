"""Error against discard: values worked out by hand, and a slow twin that counts pair by pair."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from commands import run
from facegauge.errors import UsageError
from facegauge.evaluation.edc import ErrorDiscard, error_discard, step_area
from facegauge.evaluation.edc_inputs import judge_pairs

HAND = (  # quality, similarity; the threshold will be 0.5, so 0.4, 0.3 and 0.5 fail
    (0.1, 0.4), (0.2, 0.9), (0.2, 0.3), (0.3, 0.8), (0.4, 0.7),
    (0.5, 0.9), (0.6, 0.5), (0.7, 0.6), (0.8, 0.9), (0.9, 0.9),
)  # fmt: skip


def by_hand(**options: object) -> ErrorDiscard:
    """Ten mated pairs, and ten others of which one is above 0.5: an FMR of 0.1 allows it."""
    quality = np.array([q for q, _ in HAND] + [0.5] * 10)
    similarity = np.array([s for _, s in HAND] + [0.95, 0.5, *np.linspace(0, 0.4, 8)])
    mated = np.arange(20) < 10
    return error_discard(quality, similarity, mated, fmr=0.1, resamples=50, **options)  # type: ignore[arg-type]


def test_the_curve_by_hand() -> None:
    found = by_hand()
    assert (found.mated, found.non_mated) == (10, 10)
    assert (found.threshold, found.fmr) == (0.5, 0.1)  # 0.5 itself does not match
    # The two pairs of quality 0.2 leave together: there is no step at 0.2.
    assert found.discarded[:4] == pytest.approx([0, 0.1, 0.3, 0.4])
    assert found.fnmr[:4] == pytest.approx([3 / 10, 2 / 9, 1 / 7, 1 / 6])
    assert found.discarded[-1] == pytest.approx(0.9) and found.fnmr[-1] == 0
    assert [one.value for one in found.at] == pytest.approx([0.3, 0.3, 2 / 9, 2 / 9, 2 / 9])
    assert [one.value for one in found.best_at] == pytest.approx([0.3, 0.3, 2 / 9, 2 / 9, 1 / 8])
    area, best, random = 0.1 * 0.3 + 0.1 * 2 / 9, 0.1 * 0.3 + 0.1 * 2 / 9, 0.2 * 0.3
    assert (found.area.value, found.best.value) == pytest.approx((area, best))
    assert (found.random.value, found.gain.value) == pytest.approx((random, 1))


def test_areas_of_steps() -> None:
    assert step_area(np.array([0.0]), np.array([0.5]), 0.2) == pytest.approx(0.1)
    assert step_area(np.array([0, 0.1, 0.5]), np.array([1, 0.5, 0]), 0.2) == pytest.approx(0.15)
    assert step_area(np.array([0, 0.2]), np.array([1.0, 9.0]), 0.2) == pytest.approx(0.2)


def slow(quality: Sequence[float], similarity: Sequence[float], mated: Sequence[bool],
         fmr: float) -> tuple[float, float, float, float]:  # fmt: skip
    """Threshold, and areas of the scores, the best and the random order, by a fine sum."""
    others = [s for s, m in zip(similarity, mated, strict=True) if not m]
    threshold = min(t for t in others if sum(o > t for o in others) <= fmr * len(others) + 1e-9)
    pairs = [(q, s <= threshold) for q, s, m in zip(quality, similarity, mated, strict=True) if m]
    n, steps = len(pairs), 20_000

    def rate(kept: list[bool]) -> float:
        return sum(kept) / len(kept)

    def kept_at(share: float) -> list[bool]:
        kept = [fails for _, fails in pairs]
        for level in sorted({q for q, _ in pairs}):
            left = [fails for q, fails in pairs if q > level]
            if (n - len(left)) / n > share + 1e-12:
                break
            kept = left
        return kept

    def best_at(share: float) -> list[bool]:
        gone = min(math.floor(share * n + 1e-9), sum(fails for _, fails in pairs))
        return sorted((fails for _, fails in pairs), reverse=True)[gone:]

    places = [(place + 0.5) / steps * 0.2 for place in range(steps)]
    scored, ideal = (dict.fromkeys(places, 0.0) for _ in range(2))
    for share in places:
        scored[share], ideal[share] = rate(kept_at(share)), rate(best_at(share))
    total = rate([fails for _, fails in pairs])
    return (
        threshold,
        sum(scored.values()) / steps * 0.2,
        sum(ideal.values()) / steps * 0.2,
        total * 0.2,
    )


@pytest.mark.parametrize("seed", range(3))
def test_the_slow_twin_agrees(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mated = rng.uniform(size=150) < 0.3
    quality = np.round(rng.uniform(size=150), 1 + seed % 2)  # with many ties
    similarity = np.round(rng.normal(0.2 + 0.5 * mated * (0.4 + quality), 0.15), 2)
    found = error_discard(quality, similarity, mated, fmr=0.05, resamples=2)
    threshold, area, best, random = slow(
        quality.tolist(), similarity.tolist(), mated.tolist(), 0.05
    )
    assert found.threshold == threshold and found.fmr <= 0.05
    assert found.area.value == pytest.approx(area, abs=1e-4)
    assert found.best.value == pytest.approx(best, abs=1e-4)
    assert found.random.value == pytest.approx(random)


def many(useful: float, seed: int = 0, n: int = 2000) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    mated = np.arange(2 * n) < n
    quality = rng.uniform(size=2 * n)
    similarity = rng.normal(0, 0.1, 2 * n)
    similarity[:n] += 0.3 + 0.4 * (useful * quality[:n] + (1 - useful) * rng.uniform(size=n))
    return quality, similarity, mated


def test_useful_scores_gain_and_useless_ones_do_not() -> None:
    good, useless = (error_discard(*many(useful), resamples=200) for useful in (1.0, 0.0))
    assert good.gain.low > 0.2 and good.area.high < good.random.value
    assert useless.gain.low < 0 < useless.gain.high
    assert good.best.value < good.area.value < good.random.value
    assert good.persons is None


def test_intervals_by_person_are_wider_where_persons_have_many_pairs() -> None:
    rng = np.random.default_rng(0)
    persons = np.repeat(np.arange(40), 50)
    hard = rng.uniform(size=40)[persons]  # a person's pairs are alike
    quality, others = rng.uniform(size=2000), rng.normal(0, 0.1, 2000)
    similarity = np.concatenate([0.5 - 0.35 * hard + rng.normal(0, 0.02, 2000), others])
    quality, mated = np.tile(quality, 2), np.arange(4000) < 2000
    first = [*map(str, persons), *map(str, persons)]
    second = [*map(str, persons), *map(str, (persons + 1) % 40)]
    plain = error_discard(quality, similarity, mated, fmr=0.05, resamples=100)
    found = error_discard(
        quality, similarity, mated, fmr=0.05, identities=(first, second), resamples=100
    )
    assert found.persons == 40 and found.area.value == plain.area.value
    width = found.at[0].high - found.at[0].low
    assert width > 2 * (plain.at[0].high - plain.at[0].low)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fmr": 0.01}, "0.01 needs 100 non-mated pairs, got 10; give a higher one with --fmr"),
        ({"fmr": 1.5}, "above 0 and below 1, got 1.5"),
        ({"identities": (["p"] * 20, ["p"] * 20)}, "pair 11 is not mated, but its identities are"),
    ],
)
def test_what_cannot_be(change: dict[str, object], message: str) -> None:
    quality, similarity, mated = np.ones(20), np.ones(20), np.arange(20) < 10
    with pytest.raises(UsageError, match=message):
        error_discard(quality, similarity, mated, **{"fmr": 0.1, **change})  # type: ignore[arg-type]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """The pairs of HAND as files: of each pair a has its quality, and b a higher one."""
    (tmp_path / "in").mkdir()
    rows, scores = ["a,b,similarity,mated"], ["path,score"]
    for number, (quality, similarity) in enumerate(HAND):
        scores += [f"in/a{number}.png,{quality}", f"in/b{number}.png,0.95"]
        rows.append(f"a{number}.png,b{number}.png,{similarity},{'yes' if number % 2 else 1}")
    for number, similarity in enumerate([0.95, 0.5, *np.linspace(0, 0.4, 8)]):
        rows.append(f"a{number}.png,b{(number + 1) % 10}.png,{similarity},0")
    rows.append("a0.png,gone.png,0.1,1")
    (tmp_path / "in" / "pairs.csv").write_text("\n".join(rows))
    (tmp_path / "scores.csv").write_text("\n".join(scores))
    return tmp_path


def test_pairs_have_the_lesser_quality_and_paths_are_relative_to_the_list(files: Path) -> None:
    found = judge_pairs(files / "scores.csv", files / "in" / "pairs.csv", fmr=0.1, resamples=20)
    assert found.curve.fnmr == pytest.approx(by_hand().fnmr)
    assert found.left_out == 1 and found.unscored == {"gone.png": "no row in scores.csv"}


def test_the_command(files: Path) -> None:
    saved = files / "edc.json"
    done = run("edc", files / "scores.csv", "--pairs", files / "in" / "pairs.csv", "--fmr", "0.1",
               "-o", saved)  # fmt: skip
    assert done.exit_code == 0, done.output
    for words in ("10 mated pairs and 10 others", "a pair matches above 0.5", "best possible",
                  "0.2222 (", "resampled by pairs", "picture has no score: 1"):  # fmt: skip
        assert words in done.stdout
    assert max(map(len, done.stdout.splitlines()[1:])) <= 80
    found = json.loads(saved.read_text())
    assert found["threshold"] == 0.5 and found["curve"]["discarded"][:2] == [0, 0.1]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("similarity,mated", "similarity,same", "has no column mated; its columns are a, b, sim"),
        ("0.4,1\n", "high,1\n", "row 2: expected a similarity, got 'high'"),
        ("0.4,1\n", "0.4,maybe\n", "row 2: expected mated to be 1 or 0, got 'maybe'"),
        ("0.4,1\n", "0.4,1\n", "needs 1000 non-mated pairs, got 10"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(files: Path, old: str, new: str, message: str) -> None:
    pairs = files / "in" / "pairs.csv"
    pairs.write_text(pairs.read_text().replace(old, new, 1))
    done = run("edc", files / "scores.csv", "--pairs", pairs)
    assert done.exit_code == 2 and message in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("persons", "message"),
    [
        (("x", "y"), "row 13: the pair is mated, but its identities are 'x' and 'y'"),
        (("x", ""), "row 13: expected identity_a and identity_b, got none"),
    ],
)
def test_identities_that_cannot_be_are_named_by_their_row(
    files: Path, persons: tuple[str, str], message: str
) -> None:
    pairs = files / "in" / "pairs.csv"
    header, gone, *rows = pairs.read_text().splitlines()
    rows = [line + (",p,q" if line.endswith(",0") else ",p,p") for line in rows]
    gone = gone.replace("a0.png", "none.png") + ",p,p"  # left out, and yet counted as a row
    wrong = f"a1.png,b1.png,0.3,1,{','.join(persons)}"
    lines = [header + ",identity_a,identity_b", gone, *rows[:10], wrong, *rows[10:]]
    pairs.write_text("\n".join(lines))
    done = run("edc", files / "scores.csv", "--pairs", pairs, "--fmr", "0.1")
    assert done.exit_code == 2 and message in done.stderr
