"""Error against discard: do fewer genuine pairs fail when pictures of low quality are left out?

The error-versus-discard characteristic of ISO/IEC 29794-1 (Grother and Tabassi 2007): pairs are
discarded from the lowest quality up, and the false non-match rate of the rest is a step function of
the share discarded. Schlett et al. (arXiv 2303.13294) discuss steps, limits and areas.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from facegauge.arrays import Scores
from facegauge.errors import UsageError
from facegauge.evaluation.intervals import RESAMPLES, Interval
from facegauge.evaluation.strata import draws_interval

LIMIT = 0.2  # share discarded up to which the area is taken
SHOWN = (0.0, 0.05, 0.1, 0.15, 0.2)  # shares discarded with a figure of their own

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class ErrorDiscard:
    """An error-versus-discard curve.

    Attributes:
        mated, non_mated: numbers of pairs.
        threshold: pairs match if their similarity is above it.
        fmr: share of non-mated pairs above the threshold, 0..1.
        discarded: (K,) shares of mated pairs discarded, from 0, ascending.
        fnmr: (K,) the false non-match rate of the rest, from there to the next share.
        at: false non-match rates at the shares `SHOWN`.
        best_at: the same if the pairs that fail were discarded first.
        area: under the curve from 0 to `LIMIT`.
        best, random: areas if the pairs that fail were discarded first, or any pairs.
        gain: (random - area) / (random - best): 1 is the best possible, 0 no better than chance.
        persons: number of persons that intervals are resampled by; None: by pairs.
    """

    mated: int
    non_mated: int
    threshold: float
    fmr: float
    discarded: Scores
    fnmr: Scores
    at: Sequence[Interval]
    best_at: Sequence[Interval]
    area: Interval
    best: Interval
    random: Interval
    gain: Interval
    persons: int | None

    def to_dict(self) -> dict[str, Any]:
        """JSON types, with the curve."""
        areas = {key: getattr(self, key) for key in ("area", "best", "random", "gain")}
        rows = zip(SHOWN, self.at, self.best_at, strict=True)
        return {
            "mated": self.mated,
            "non_mated": self.non_mated,
            "threshold": self.threshold,
            "fmr": self.fmr,
            "limit": LIMIT,
            **{key: value.to_dict() for key, value in areas.items()},
            "at": [
                {"discarded": share, "fnmr": fnmr.to_dict(), "best": best.to_dict()}
                for share, fnmr, best in rows
            ],
            "persons": self.persons,
            "curve": {"discarded": self.discarded.tolist(), "fnmr": self.fnmr.tolist()},
        }


def error_discard(
    quality: Scores,
    similarity: Scores,
    mated: Mask,
    *,
    fmr: float = 1e-3,
    identities: tuple[Sequence[str], Sequence[str]] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> ErrorDiscard:
    """The error-versus-discard curve of P pairs of pictures.

    The threshold is that of the false match rate on all non-mated pairs, and is held while mated
    pairs are discarded. Pairs of equal quality leave together.

    Args:
        quality: (P,) of each pair: the lesser of its two pictures'; higher is better.
        similarity: (P,) of a face recogniser; higher is more alike.
        mated: (P,) whether both pictures show one person.
        fmr: false match rate, above 0 and below 1.
        identities: the persons of the first and of the second pictures, P each: intervals come
            from resampled persons, and the threshold is that of each resample. None: from
            resampled pairs, which are too narrow where pairs share pictures or persons.
        resamples, seed: of the bootstrap.

    Raises:
        UsageError: no mated pair, fewer non-mated pairs than 1 / fmr, or identities that differ
            from `mated`.
    """
    if not 0 < fmr < 1:
        raise UsageError(f"expected a false match rate above 0 and below 1, got {fmr}")
    if not mated.any():
        raise UsageError("there is no mated pair with a score of both pictures")
    others = int((~mated).sum())
    if others * fmr < 1 - 1e-9:
        raise UsageError(
            f"a false match rate of {fmr:g} needs {math.ceil(1 / fmr - 1e-9)} non-mated pairs, got "
            f"{others}; give a higher one with --fmr"
        )
    pairs = _Pairs(quality, similarity, mated, fmr)
    persons = None if identities is None else _persons(mated, identities)
    people = None if persons is None else int(persons.max()) + 1
    values = pairs.figures(np.ones(len(mated)))
    draws = _weights(mated, persons, resamples, seed)  # one at a time: there may be many pairs
    drawn = np.array([pairs.figures(weights) for weights in draws])
    n = int(mated.sum())
    found = [
        draws_interval(float(value), column, people or n, 0.95)
        for value, column in zip(values, drawn.T, strict=True)
    ]
    threshold, places = pairs.threshold(np.ones(others)), len(SHOWN)
    discarded, fnmr = pairs.curve(np.ones(len(mated)))
    area, best, random, gain = found[2 * places :]
    return ErrorDiscard(
        mated=n,
        non_mated=others,
        threshold=threshold,
        fmr=float(np.mean(similarity[~mated] > threshold)),
        discarded=discarded,
        fnmr=fnmr,
        at=found[:places],
        best_at=found[places : 2 * places],
        area=area,
        best=best,
        random=random,
        gain=gain,
        persons=people,
    )


def step_area(discarded: Scores, errors: Scores, limit: float = LIMIT) -> float:
    """Area under a step function from 0 to a limit.

    Args:
        discarded: (K,) where the steps begin, from 0, ascending.
        errors: (K,) their heights.
        limit: 0..1.
    """
    ends = np.append(discarded[1:], np.inf)
    return float(np.sum(errors * (np.minimum(ends, limit) - np.minimum(discarded, limit))))


class _Pairs:
    """Pairs in the order in which they leave; every method takes weights of pairs."""

    def __init__(self, quality: Scores, similarity: Scores, mated: Mask, fmr: float) -> None:
        self._fmr, self._mated = fmr, mated
        self._order = np.argsort(quality[mated], kind="stable")
        self._similarity = similarity[mated][self._order]
        levels = quality[mated][self._order]
        self._ends = np.flatnonzero(np.append(levels[1:] != levels[:-1], True))
        self._other_order = np.argsort(-similarity[~mated], kind="stable")
        self._others = similarity[~mated][self._other_order]

    def threshold(self, weights: Scores) -> float:
        """The least similarity of non-mated pairs above which at most the rate lies."""
        above = np.cumsum(weights[self._other_order])
        allowed = self._fmr * above[-1] + 1e-9
        return float(self._others[min(np.searchsorted(above, allowed, "right"), len(above) - 1)])

    def curve(self, weights: Scores) -> tuple[Scores, Scores]:
        """Shares discarded and error rates of the rest."""
        threshold = self.threshold(weights[~self._mated])
        kept = weights[self._mated][self._order]
        failed = kept * (self._similarity <= threshold)
        total, errors = kept.sum(), failed.sum()
        gone = np.append(0, np.cumsum(kept)[self._ends])
        cured = np.append(0, np.cumsum(failed)[self._ends])
        left = gone < total
        return gone[left] / total, (errors - cured[left]) / (total - gone[left])

    def figures(self, weights: Scores) -> Scores:
        """Rates at `SHOWN`, the best possible ones, and area, best, random and gain."""
        with np.errstate(invalid="ignore", divide="ignore"):
            discarded, errors = self.curve(weights)
            if not len(discarded):
                return np.full(2 * len(SHOWN) + 4, np.nan)
            total, rate = weights[self._mated].sum(), errors[0]
            first = np.arange(min(round(rate * total), int(total) - 1) + 1)
            ideal = first / total, (rate * total - first) / (total - first)
            areas = [step_area(discarded, errors), step_area(*ideal), rate * LIMIT]
            gain = (areas[2] - areas[0]) / (areas[2] - areas[1])
        return np.array([*_at(discarded, errors), *_at(*ideal), *areas, gain], np.float64)


def _at(discarded: Scores, errors: Scores) -> Scores:
    """Heights of a step function at the shares `SHOWN`."""
    return np.asarray(errors[np.searchsorted(discarded, np.array(SHOWN) + 1e-12, "right") - 1])


def _persons(mated: Mask, identities: tuple[Sequence[str], Sequence[str]]) -> npt.NDArray[np.intp]:
    """The persons of each pair as numbers from 0, (2, P)."""
    codes = np.unique(np.concatenate(identities), return_inverse=True)[1].reshape(2, -1)
    if (wrong := np.flatnonzero((codes[0] == codes[1]) != mated)).size:
        row = int(wrong[0])
        raise UsageError(
            f"pair {row + 1} is {'' if mated[row] else 'not '}mated, but its identities are "
            f"{identities[0][row]!r} and {identities[1][row]!r}"
        )
    return np.asarray(codes, np.intp)


def _weights(
    mated: Mask, persons: npt.NDArray[np.intp] | None, resamples: int, seed: int
) -> Iterator[Scores]:
    """Weights of the pairs in each resample, of persons or of pairs."""
    rng = np.random.default_rng(seed)
    for _ in range(resamples):
        if persons is not None:
            n = int(persons.max()) + 1
            first, second = np.bincount(rng.integers(0, n, n), minlength=n)[persons]
            yield np.where(mated, first, first * second).astype(float)
            continue
        weights = np.zeros(len(mated))
        for part in (mated, ~mated):
            n = int(part.sum())
            weights[part] = np.bincount(rng.integers(0, n, n), minlength=n)
        yield weights
