"""Rows as a data frame of pandas or polars, whichever there is."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from typing import Any, Literal

from facegauge.errors import UsageError
from facegauge.schema import Schema

Library = Literal["pandas", "polars"]
LIBRARIES: tuple[Library, ...] = ("pandas", "polars")


def to_frame(rows: Sequence[dict[str, Any]], schema: Schema, library: Library | None) -> Any:
    """A data frame with the columns of a schema.

    Args:
        rows: dictionaries with the schema's names as keys.
        schema: the columns.
        library: None takes the one that is imported already, otherwise one that is installed;
            pandas before polars.

    Returns:
        A `pandas.DataFrame` or a `polars.DataFrame`; whole numbers that may be missing are `Int64`.

    Raises:
        UsageError: neither is installed, or not the one that is asked for.
    """
    chosen = library or _present()
    if chosen not in LIBRARIES:
        raise UsageError(f"expected library to be pandas or polars, got {chosen!r}")
    if importlib.util.find_spec(chosen) is None:
        raise UsageError(f"a data frame needs {chosen}: pip install {chosen}; rows() needs neither")
    frames: Any = importlib.import_module(chosen)
    columns = {name: [row[name] for row in rows] for name in schema.names}
    types = {column.name: column.type for column in schema}
    if chosen == "polars":
        kinds = {"str": frames.String, "int": frames.Int64, "float": frames.Float64}
        return frames.DataFrame(columns, schema={name: kinds[types[name]] for name in columns})
    kinds = {"str": "object", "int": "Int64", "float": "float64"}
    return frames.DataFrame(
        {name: frames.Series(values, dtype=kinds[types[name]]) for name, values in columns.items()}
    )


def _present() -> Library:
    imported = [name for name in LIBRARIES if name in sys.modules]
    installed = [name for name in LIBRARIES if importlib.util.find_spec(name)]
    return [*imported, *installed, "pandas"][0]
