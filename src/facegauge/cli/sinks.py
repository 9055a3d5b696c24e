"""Where `facegauge score` writes its results: a table, the terminal, or CSV to a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from facegauge.cli.fitting import cell_len, shortened, width_of, wrapped
from facegauge.cli.terminal import printable

if TYPE_CHECKING:
    from facegauge.results import ImageScore
    from facegauge.schema import Schema, Value
    from facegauge.scorer import Scorer
    from facegauge.tables.shards import Listing, Shard

FACTOR_WIDTH = 7  # characters of a factor's column on the terminal, or more if its name is longer
WORDS_WIDTH = 7  # characters of the columns of notes and problems, at least
LEAST = 24  # columns that are left for the path of a picture
NO_LIMIT = 100_000  # columns
INDENT = " " * 7  # of lines below a row: where its score ends


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
    """Rows on the terminal, as they come; the picture, which has no fixed width, stands last.

    Where a terminal is too narrow, what else is said of a face stands in lines below its row.
    """

    HEADER = ("score", "low-high", "percentile", "band", "face")
    LINE = "{:>5}  {:>9}  {:>10}  {:<10}  {:>4}"

    def __enter__(self) -> Self:
        from facegauge.ratings import COLUMNS as RATED
        from facegauge.results import COLUMNS

        self._begun = False
        self._factors = [
            name for name in self._schema.names if name not in COLUMNS and name not in RATED
        ]
        self._words = ["notes"]
        if any(name in RATED for name in self._schema.names):
            self._words.append("problems")
        self._line = self.LINE
        columns = [f"{{:>{max(len(name), FACTOR_WIDTH)}}}" for name in self._factors]
        columns += [f"{{:<{max(len(word), WORDS_WIDTH)}}}" for word in self._words]
        wide = "  ".join([self.LINE, *columns])
        needed = len(self._formatted(wide, ["score"])) + 2 + LEAST
        self._width = width_of(sys.stdout) or NO_LIMIT
        self._wide = needed <= self._width
        if self._wide:
            self._line = wide
        return self

    def __exit__(self, *error: object) -> None:
        sys.stdout.flush()

    def write(self, result: ImageScore) -> None:
        more = [*self._factors, *self._words]
        if not self._begun:
            self._row([*self.HEADER, *(more if self._wide else ())], "picture")
            self._begun = True
        for face, numbers in enumerate(result.faces):
            row = [
                f"{numbers.score:.3f}",
                f"{numbers.low:.2f}-{numbers.high:.2f}",
                f"{numbers.percentile:.0f}",
                numbers.band,
                str(face),
            ]
            measured = [_shown(numbers.factors.get(name)) for name in self._factors]
            words = [" ".join(numbers.notes), " ".join(numbers.problems)][: len(self._words)]
            if self._wide:
                self._row([*row, *measured, *words], result.path, result.message)
                continue
            shown = zip(more, [*measured, *words], strict=True)
            about = ", ".join(f"{name} {value}" for name, value in shown if value)
            self._row(row, result.path, about, result.message)
        if not result.faces:
            self._row(["", "", "", result.status.value], result.path, result.message)

    def _row(self, cells: Sequence[str], picture: str, *remarks: str) -> None:
        """A row; remarks in brackets behind it where there is room, otherwise below it."""
        said = [printable(remark) for remark in remarks if remark]
        line = f"{self._formatted(self._line, cells)}  "
        whole = "  ".join([line + printable(picture), *(f"({remark})" for remark in said)])
        if cell_len(whole) <= self._width:
            print(whole)
            return
        print(line + shortened(printable(picture), max(self._width - cell_len(line), LEAST)))
        for remark in said:
            print(wrapped(INDENT + remark, self._width))

    def _formatted(self, line: str, cells: Sequence[str]) -> str:
        return line.format(*cells, *[""] * (line.count("{") - len(cells)))


def _shown(value: Value) -> str:
    """A factor's value for the terminal, numbers with four digits."""
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else printable(str(value))
