"""The parts of a table's rows: NAME=FOLDER arguments, and figures with their intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from facegauge.errors import UsageError
from facegauge.evaluation.intervals import Interval
from facegauge.evaluation.metrics import bootstrap


def named(pairs: Sequence[str], option: str) -> dict[str, str]:
    """NAME=PATH arguments, by name.

    Raises:
        UsageError: one has no name or no path, or two have the same name.
    """
    for pair in pairs:
        if not all(pair.partition("=")):
            raise UsageError(f"{option} expects NAME=PATH, got {pair!r}")
    found = dict(pair.split("=", 1) for pair in pairs)
    if len(found) < len(pairs):
        raise UsageError(f"{option} expects every NAME once, got {', '.join(pairs)}")
    return found


def shown(found: Interval, sign: str = "") -> str:
    """An estimate and its interval; sign "+" also marks positive numbers."""
    value, low, high = (format(end, f"{sign}.3f") for end in (found.value, found.low, found.high))
    return f"{value} [too few]" if np.isnan(found.low) else f"{value} [{low}, {high}]"


def figure(statistic: Callable[..., float], *columns: npt.ArrayLike, sign: str = "") -> str:
    """A statistic with its 95 % bootstrap interval, as `shown`; "-" without rows."""
    if not len(np.asarray(columns[0])):
        return "-"
    return shown(bootstrap(statistic, *columns), sign)
