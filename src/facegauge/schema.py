"""Columns as data: a name, a type and a sentence for each; scorers and factors add their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from facegauge.errors import UsageError

ColumnType = Literal["str", "int", "float"]
Value: TypeAlias = str | int | float | None
"""A cell: None where nothing is known."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        name: such as `eye_distance`; files of other tools may have any text.
        type: of its values, "str", "int" or "float"; each may also be None.
        doc: one sentence that says what the values are, with their unit and range.
        unit: as it stands after a value, such as "px"; or the range, in brackets.

    Raises:
        UsageError: another type.
    """

    name: str
    type: ColumnType
    doc: str
    unit: str = ""

    def __post_init__(self) -> None:
        if self.type not in get_args(ColumnType):
            raise UsageError(
                f"expected the type of the column {self.name} to be one of "
                f"{', '.join(get_args(ColumnType))}, got {self.type!r}"
            )


class Schema:
    """Columns in order, each name once.

    Iterating gives the columns; `schema["score"]` is the column of that name, `"score" in schema`
    says whether there is one, and `schema + columns` is a schema with more columns at the end.

    Args:
        columns: in the order of a table.

    Attributes:
        columns: as given.
        names: their names, in order.

    Raises:
        UsageError: two columns have the same name.
    """

    __slots__ = ("_by_name", "columns", "names")

    def __init__(self, columns: Iterable[Column]) -> None:
        self.columns = tuple(columns)
        self.names = tuple(column.name for column in self.columns)
        self._by_name = dict(zip(self.names, self.columns, strict=True))
        if twice := sorted({name for name in self.names if self.names.count(name) > 1}):
            raise UsageError(f"more than one column is named {', '.join(twice)}")

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __getitem__(self, name: str) -> Column:
        return self._by_name[name]

    def __add__(self, columns: Iterable[Column]) -> Schema:
        return Schema([*self.columns, *columns])

    def __eq__(self, other: object) -> bool:
        return self.columns == other.columns if isinstance(other, Schema) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.columns)

    def __repr__(self) -> str:
        return f"Schema({', '.join(self.names)})"


class FrozenValues(Mapping[str, Value]):
    """Values by column name that cannot be changed; hashable, picklable, equal to a like dict."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Value]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> Value:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(frozenset(self._values.items()))

    def __reduce__(self) -> tuple[type[FrozenValues], tuple[dict[str, Value]]]:
        return FrozenValues, (self._values,)

    def __repr__(self) -> str:
        return repr(self._values)
