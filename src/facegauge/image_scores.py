"""The results of several pictures: a list that turns into rows and data frames."""

from __future__ import annotations

from typing import Any

from facegauge.frames import Library, to_frame
from facegauge.results import COLUMNS, ImageScore
from facegauge.schema import Schema


class ImageScores(list[ImageScore]):
    """What `facegauge.score` returns for several pictures: a list, in the order of the pictures."""

    def rows(self, schema: Schema | None = None) -> list[dict[str, Any]]:
        """The rows of all pictures, see `ImageScore.rows`."""
        return [row for result in self for row in result.rows(schema)]

    def to_frame(self, library: Library | None = None, schema: Schema | None = None) -> Any:
        """A data frame with one row a face, and one for each picture without a face.

        Args:
            library: "pandas" or "polars"; by default the one that is imported already, otherwise
                one that is installed.
            schema: the columns, such as `Scorer.schema`; by default `results.COLUMNS`.

        Raises:
            UsageError: neither library is installed, or not the one that is asked for.
        """
        columns = COLUMNS if schema is None else schema
        return to_frame(self.rows(columns), columns, library)
