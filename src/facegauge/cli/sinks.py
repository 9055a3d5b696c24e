"""Where `facegauge score` writes its results: a table, the terminal, or CSV to a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from facegauge.cli.terminal import printable

if TYPE_CHECKING:
    from facegauge.results import ImageScore
    from facegauge.schema import Schema, Value
    from facegauge.scorer import Scorer
    from facegauge.tables.shards import Listing, Shard

FACTOR_WIDTH = 7  # characters of a factor's column on the terminal, or more if its name is longer


class Sink(Protocol):
    """Where results go."""

    def write(self, result: ImageScore) -> None: ...
    def is_done(self, path: str) -> bool: ...
    def is_suspect(self, path: str) -> bool: ...
    def begun(self, path: str) -> None: ...
    def retry(self, paths: Iterable[str]) -> int: ...
    def listed(self, listing: Listing) -> None: ...
    @property
    def failed(self) -> int: ...


def open_sink(
    output: Path | None,
    scorer: Scorer,
    *,
    resume: bool,
    overwrite: bool,
    excel: bool,
    shard: Shard | None,
) -> AbstractContextManager[Sink]:
    """The table of the option --output; without it the terminal, or CSV to a pipe."""
    if output is None:
        return (_Shown if sys.stdout.isatty() else _Piped)(scorer.schema, excel)
    return scorer.open_table(output, resume=resume, overwrite=overwrite, excel=excel, shard=shard)


class _Stream:
    """Something on stdout, which starts empty."""

    def __init__(self, schema: Schema, excel: bool = False) -> None:
        self._schema, self._excel = schema, excel

    def __enter__(self) -> Self:
        return self

    def is_done(self, path: str) -> bool:
        return False

    def is_suspect(self, path: str) -> bool:
        return False

    def begun(self, path: str) -> None:
        pass

    def retry(self, paths: Iterable[str]) -> int:
        return 0

    def listed(self, listing: Listing) -> None:
        pass

    @property
    def failed(self) -> int:
        return 0


class _Piped(_Stream):
    """CSV on stdout, as it comes."""

    def __enter__(self) -> Self:
        from facegauge.tables.formats import csv_lines

        self._lines = csv_lines(self._schema, excel=self._excel)
        self._put(self._lines.header)
        return self

    def __exit__(self, *error: object) -> None:
        sys.stdout.flush()

    def write(self, result: ImageScore) -> None:
        self._put(self._lines.encode(result.rows(self._schema)))

    def _put(self, data: bytes) -> None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


class _Shown(_Stream):
    """Rows on the terminal, as they come; the picture, which has no fixed width, stands last."""

    HEADER = ("score", "low-high", "percentile", "band", "face")
    LINE = "{:>5}  {:>9}  {:>10}  {:<10}  {:>4}"

    def __enter__(self) -> Self:
        from facegauge.ratings import COLUMNS as RATED
        from facegauge.results import COLUMNS

        self._begun = False
        self._factors = [
            name for name in self._schema.names if name not in COLUMNS and name not in RATED
        ]
        self._rated = any(name in RATED for name in self._schema.names)
        widths = (max(len(name), FACTOR_WIDTH) for name in self._factors)
        words = ["{:<7}"] * (2 if self._rated else 1)
        self._line = "  ".join([self.LINE, *(f"{{:>{width}}}" for width in widths), *words, "{}"])
        return self

    def __exit__(self, *error: object) -> None:
        sys.stdout.flush()

    def write(self, result: ImageScore) -> None:
        if not self._begun:
            words = ("notes", *(["problems"] if self._rated else []))
            print(self._line.format(*self.HEADER, *self._factors, *words, "picture"))
            self._begun = True
        for face, numbers in enumerate(result.faces):
            self._row(
                result,
                f"{numbers.score:.3f}",
                f"{numbers.low:.2f}-{numbers.high:.2f}",
                f"{numbers.percentile:.0f}",
                numbers.band,
                str(face),
                *(_shown(numbers.factors.get(name)) for name in self._factors),
                " ".join(numbers.notes),
                *([" ".join(numbers.problems)] if self._rated else []),
            )
        if not result.faces:
            empty = [""] * (len(self._factors) + 1 + self._rated)
            self._row(result, "", "", "", result.status.value, "", *empty)

    def _row(self, result: ImageScore, *cells: str) -> None:
        note = f"  ({printable(result.message)})" if result.message else ""
        print(self._line.format(*cells, printable(result.path)) + note)


def _shown(value: Value) -> str:
    """A factor's value for the terminal, numbers with four digits."""
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else printable(str(value))
