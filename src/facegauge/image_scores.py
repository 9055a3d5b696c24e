"""The results of several pictures: a list that turns into rows and data frames."""

from __future__ import annotations

from typing import Any, SupportsIndex, overload

from facegauge.frames import Library, to_frame
from facegauge.results import COLUMNS, ImageScore
from facegauge.schema import Schema

SHOWN = 100  # rows in a notebook


class ImageScores(list[ImageScore]):
    """What `facegauge.score` returns for several pictures: a list, in the order of the pictures.

    A slice of it is one too.
    """

    @overload
    def __getitem__(self, index: SupportsIndex, /) -> ImageScore: ...
    @overload
    def __getitem__(self, index: slice, /) -> ImageScores: ...
    def __getitem__(self, index: SupportsIndex | slice, /) -> ImageScore | ImageScores:
        found = super().__getitem__(index)
        return ImageScores(found) if isinstance(found, list) else found

    def _repr_html_(self) -> str:
        """A table of the first faces, which notebooks show; names are escaped."""
        from html import escape

        titles = ("path", "face", "status", "score", "low", "high", "band", "notes", "message")
        head = "".join(f'<th scope="col">{title}</th>' for title in titles)
        rows = self.rows()
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(_shown(row[title]))}</td>" for title in titles) + "</tr>"
            for row in rows[:SHOWN]
        )
        more = f"; the first {SHOWN} rows" if len(rows) > SHOWN else ""
        about = f"{len(self)} pictures, {len(rows)} rows{more}"
        caption = f'<caption style="caption-side: top; text-align: left">{about}</caption>'
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

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


def _shown(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if isinstance(value, float) else str(value)
