"""Factors: what is measured on a face beside its score, while the picture's pixels are at hand.

A factor is any object with a name, columns and a method `measure`; it needs no base class:

    class Brightness:
        name = "brightness"
        columns = (Column("brightness", "float", "Mean of the frame's pixels, 0 to 255."),)

        def measure(self, pixels, face, frame):
            top, left = max(0, round(frame.top)), max(0, round(frame.left))
            face = pixels[top : round(frame.bottom), left : round(frame.right)]
            return {"brightness": face.mean()}

`Scorer(factors=["quality", Brightness()])` measures them. Their values are in
`FaceScore.factors` and in the rows of tables.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Protocol, runtime_checkable

from facegauge.arrays import Pixels
from facegauge.errors import ScorerError, UsageError
from facegauge.faces.spec import PreprocessSpec
from facegauge.factors.quality import Quality
from facegauge.factors.resolution import Resolution
from facegauge.factors.skin import Skin
from facegauge.results import COLUMNS, NO_FACTORS, Box, Face
from facegauge.schema import Column, FrozenValues, Schema, Value

__all__ = ["FACTORS", "Factor", "measure_face", "resolve", "schema_with"]


@runtime_checkable
class Factor(Protocol):
    """What is measured on each face of a picture.

    An instance is shared by threads, and is pickled with its scorer.

    Attributes:
        name: for messages and for the settings of a table.
        columns: what it measures; a value of the column's type, or None, for each face.
    """

    @property
    def name(self) -> str: ...

    @property
    def columns(self) -> tuple[Column, ...]: ...

    def measure(self, pixels: Pixels, face: Face | None, frame: Box) -> Mapping[str, Value]:
        """Measure one face.

        Args:
            pixels: (H, W, 3) uint8, sRGB, the whole upright picture; read-only.
            face: the face, in pixels of the picture; None when the picture is scored whole.
            frame: the head-and-shoulders rectangle that is scored; may reach beyond the picture.

        Returns:
            Values by column name; columns that are left out are None. An exception means that this
            face has no values: they are None, and the picture's message has the reason.
        """


FACTORS: Mapping[str, Callable[[PreprocessSpec], Factor]] = {
    "quality": Quality,
    "resolution": Resolution,
    "skin": Skin,
}
"""The shipped factors, made for a scorer's spec."""


def resolve(
    factors: bool | str | Iterable[str | Factor], spec: PreprocessSpec
) -> tuple[Factor, ...]:
    """Factors from names of shipped ones and from objects.

    Args:
        factors: names of `FACTORS` and objects that are a `Factor`, in the order of their columns;
            True for `quality`, False for none.
        spec: of the scorer that they go with.

    Raises:
        UsageError: an unknown name; an object that is no factor; a column whose name is not plain
            or is that of another.
    """
    if isinstance(factors, bool):
        factors = ["quality"] if factors else []
    named = [factors] if isinstance(factors, str) else list(factors)
    resolved = tuple(
        _shipped(factor, spec) if isinstance(factor, str) else _checked(factor) for factor in named
    )
    owners = dict.fromkeys(COLUMNS.names, "every score table")
    names: set[str] = set()
    for factor in resolved:
        if factor.name in names:
            raise UsageError(f"two factors are named {factor.name}; give each once")
        names.add(factor.name)
        for column in factor.columns:
            if column.name in owners:
                raise UsageError(
                    f"the factor {factor.name} has a column {column.name}, as has "
                    f"{owners[column.name]}; rename it"
                )
            owners[column.name] = f"the factor {factor.name}"
    return resolved


def schema_with(factors: Iterable[Factor]) -> Schema:
    """The columns of a score table with those of some factors."""
    return COLUMNS + [column for factor in factors for column in factor.columns]


def measure_face(
    factors: Iterable[Factor], pixels: Pixels, face: Face | None, frame: Box
) -> tuple[FrozenValues, str]:
    """What some factors measure on one face; a factor that fails gives None in its columns.

    Args:
        factors: from `resolve`.
        pixels, face, frame: as for `Factor.measure`.

    Returns:
        Values by column name, converted to the columns' types, numbers that are not finite as None;
        and one line about the factors that failed, empty if none did.

    Raises:
        ScorerError: a factor's own model or data is damaged.
    """
    values: dict[str, Value] = {}
    failures: list[str] = []
    for factor in factors:
        values.update((column.name, None) for column in factor.columns)
        view = pixels.view()
        view.flags.writeable = False
        try:
            values.update(_typed(factor.columns, factor.measure(view, face, frame)))
        except ScorerError:
            raise
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            failures.append(f"factor {factor.name} failed: {reason}")
    return (FrozenValues(values) if values else NO_FACTORS), "; ".join(failures)


def _shipped(name: str, spec: PreprocessSpec) -> Factor:
    if name not in FACTORS:
        close = get_close_matches(name, FACTORS, 1, 0.5)
        hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(sorted(FACTORS))}"
        raise UsageError(f"there is no factor {name!r}; {hint}")
    return FACTORS[name](spec)


def _checked(factor: object) -> Factor:
    if isinstance(factor, type) or not isinstance(factor, Factor) or not callable(factor.measure):
        raise UsageError(
            f"expected a factor's name or an object with name, columns and measure, got {factor!r}"
        )
    columns = factor.columns
    if not isinstance(columns, tuple | list) or not columns:
        raise UsageError(f"the factor {factor.name} has no columns; expected a tuple of Column")
    for column in columns:
        if not isinstance(column, Column):
            raise UsageError(f"factor {factor.name}: expected columns of Column, got {column!r}")
        if not re.fullmatch(r"[a-z][a-z0-9_]*", column.name):
            raise UsageError(
                f"factor {factor.name}: expected a column's name in lower-case letters, digits "
                f"and underscores, got {column.name!r}"
            )
    return factor


def _typed(columns: Iterable[Column], measured: Mapping[str, Value]) -> dict[str, Value]:
    """Values converted to their columns' types.

    Raises:
        TypeError, ValueError: a value of no column or of another type.
    """
    types = {column.name: column.type for column in columns}
    if unknown := sorted(set(measured) - set(types)):
        raise ValueError(f"measured {', '.join(unknown)}, which is none of its columns")
    typed: dict[str, Value] = {}
    for name, value in measured.items():
        if value is None:
            typed[name] = None
        elif types[name] == "str":
            if not isinstance(value, str):
                raise TypeError(f"expected text or None for {name}, got {value!r}")
            typed[name] = str(value)
        elif not math.isfinite(number := float(value)):
            typed[name] = None
        elif types[name] == "float":
            typed[name] = number
        elif number.is_integer():
            typed[name] = int(value)
        else:
            raise ValueError(f"expected a whole number or None for {name}, got {value!r}")
    return typed
