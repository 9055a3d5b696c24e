"""Groups of pictures: by columns, by crossings of columns, and by the range of a number."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise

import numpy as np
import numpy.typing as npt

EMPTY = "(empty)"
RANGES = 5


@dataclass(frozen=True, slots=True)
class Grouping:
    """One way to divide N pictures into groups.

    Attributes:
        by: the columns, such as "gender, ethnicity".
        names: the group of each picture, N values, such as "female, asian".
        ordered: whether the names have an order, as ranges of a number do.
    """

    by: str
    names: tuple[str, ...]
    ordered: bool = False

    def take(self, rows: npt.ArrayLike) -> Grouping:
        """The grouping of some of the pictures, (N,) a boolean mask."""
        kept = zip(self.names, np.asarray(rows, bool), strict=True)
        return replace(self, names=tuple(name for name, keep in kept if keep))


def groupings(column: Callable[[str], Sequence[str]], by: Iterable[str]) -> list[Grouping]:
    """The groupings that some texts ask for.

    Args:
        column: gives the cells of a column by its name, such as `Manifest.group`; raises UsageError
            for others.
        by: a column each, or several with commas: each of those, and all their crossings.
    """
    wanted: dict[tuple[str, ...], None] = {}
    for text in by:
        names = list(dict.fromkeys(name for part in text.split(",") if (name := part.strip())))
        for size in range(1, len(names) + 1):
            wanted |= dict.fromkeys(combinations(names, size))
    return [
        Grouping(
            ", ".join(names),
            tuple(
                ", ".join(cell or EMPTY for cell in cells)
                for cells in zip(*map(column, names), strict=True)
            ),
        )
        for names in wanted
    ]


def ranges(what: str, values: npt.ArrayLike, parts: int = RANGES) -> Grouping:
    """Groups of about equal size by the value of a number; fewer if values are tied.

    Args:
        what: the number's name.
        values: (N,), finite.
        parts: number of groups.
    """
    numbers = np.asarray(values, np.float64)
    if not len(numbers):
        return Grouping(f"range of {what}", (), True)
    inner = np.unique(np.quantile(numbers, np.arange(1, parts) / parts))
    inner = inner[inner > numbers.min()]
    ends = [numbers.min(), *inner, numbers.max()]
    names = [f"{low:.3f} to {high:.3f}" for low, high in pairwise(ends)]
    places = np.searchsorted(inner, numbers, side="right")
    return Grouping(f"range of {what}", tuple(names[place] for place in places), True)
