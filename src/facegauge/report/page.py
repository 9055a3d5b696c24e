"""Writes a report as one HTML file: thumbnails and plots are in it, and nothing is fetched."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from facegauge.data.label_scale import UNIT, LabelScale
from facegauge.errors import UsageError, require
from facegauge.evaluation.intervals import Interval
from facegauge.evaluation.table_scores import OURS, TableOptions
from facegauge.outputs import check_free, check_output, replacing
from facegauge.package_files import package_files
from facegauge.report.contents import EXAMPLES, FAILURES, Contents, read_contents
from facegauge.report.plots import Plot, figure_files, plots, save_figures, svg
from facegauge.visual.thumbnails import key, thumbnails

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = (".html", ".htm")
SIDE, QUALITY = 96, 80  # of thumbnails, in pixels, and as JPEG


def write_report(
    table: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    data: str | os.PathLike[str] | None = None,
    by: str | Iterable[str] = (),
    scale: LabelScale = UNIT,
    options: TableOptions = OURS,
    pictures: bool = True,
    figures: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
) -> Contents:
    """Write a report on a score table; the file appears once it is complete.

    Args:
        table: of facegauge; its pictures may be gone.
        output: the HTML file.
        data, by, scale, options: see `contents.read_contents`.
        pictures: whether thumbnails of at most 400 faces are in it.
        figures: folder for the plots as PDF and SVG files.
        overwrite: replace files that are there.

    Returns:
        What the report says.

    Raises:
        UsageError: see `contents.read_contents`; or a file cannot be written.
        MissingExtra: without jinja2 and matplotlib.
    """
    for module in ("jinja2", "matplotlib"):
        require(module, "a report", "report")
    output = Path(output)
    check_output(output, [table, data], SUFFIXES, overwrite=overwrite)
    contents = read_contents(table, data=data, by=by, scale=scale, options=options)
    made = plots(contents)
    if figures is not None:
        check_free(figure_files(made, Path(figures)), overwrite=overwrite)
    page = render(contents, made, pictures=pictures)
    try:
        if figures is not None:
            save_figures(made, Path(figures))
        with replacing(output) as fresh:
            fresh.write_text(page, encoding="utf-8")
    except OSError as error:
        where = error.filename or output
        raise UsageError(f"cannot write {where}: {error.strerror or error}") from error
    return contents


def render(contents: Contents, made: Mapping[str, Plot], *, pictures: bool = True) -> str:
    """The page."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    images = {}
    if pictures:
        found = thumbnails(contents.table, contents.shown, SIDE)
        images = {place: _data_url(image) for place, image in found.items()}
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(shown=_shown, interval=_interval)
    template = environment.from_string(_text("page.html.jinja"))
    return template.render(
        contents=contents,
        plots={name: (plot.text, Markup(svg(plot))) for name, plot in made.items()},
        style=Markup(_text("page.css")),
        pictures=pictures,
        images=images,
        key=key,
        examples=EXAMPLES,
        named=FAILURES,
    )


def _text(name: str) -> str:
    return package_files(f"report/{name}").read_text(encoding="utf-8")


def _data_url(image: Image.Image) -> str:
    written = io.BytesIO()
    image.save(written, "JPEG", quality=QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(written.getvalue()).decode('ascii')}"


def _shown(text: object) -> str:
    """A text with what cannot be shown escaped: bytes that are not UTF-8, control characters."""
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape", "surrogatepass").decode()
        for sign in str(text)
    )


def _interval(estimate: Interval, sign: str = "", digits: int = 3) -> str:
    value, low, high = (
        f"{x:{sign}.{digits}f}" for x in (estimate.value, estimate.low, estimate.high)
    )
    if estimate.value != estimate.value:
        return "not defined"
    return f"{value} (too few)" if estimate.low != estimate.low else f"{value} ({low} to {high})"
