"""The plots of a report, by matplotlib: as SVG for the page, and as PDF and SVG files."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facegauge.arrays import Scores
from facegauge.calibration import BAND_EDGES, BANDS
from facegauge.evaluation.audit import GroupAudit
from facegauge.outputs import replacing
from facegauge.report.contents import Agreement, Contents, Problem

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 5.0, 2.7  # inches
KINDS = {"pdf": "CreationDate", "svg": "Date"}  # of figures, with their entry of metadata
ROW = 0.28  # inches, of a bar that lies
BINS = 40
MANY = 1500  # points that are drawn one by one; more are one picture
MOST_GROUPS = 30  # in one plot
FONT = re.compile(r"font: ([^\"';]*?)([\d.]+px) [^;\"]*")
UNUSED_ID = re.compile(r' id="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Colours:
    """Colours of plots, as #rrggbb.

    Attributes:
        ink: of texts and axes.
        faint: of lines behind.
        mark: of bars and points.
        accent: of what is compared with.
    """

    ink: str
    faint: str
    mark: str
    accent: str


PAPER = Colours("#1f2328", "#c8ccd1", "#2a6f97", "#b5480f")
# on the page each stands for a variable, so that plots follow light, dark and print
PAGE = Colours("#010203", "#040506", "#2a6f97", "#0a0b0c")
VARIABLES = {PAGE.ink: "var(--ink)", PAGE.faint: "var(--faint)", PAGE.accent: "var(--accent)"}
MARK = "var(--mark)"


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot that is not drawn yet.

    Attributes:
        name: of its files.
        text: what it shows, for those who do not see it.
        size: width and height in inches.
        draw: draws it.
    """

    name: str
    text: str
    size: tuple[float, float]
    draw: Callable[[Axes, Colours], None]

    def figure(self, colours: Colours) -> Figure:
        from matplotlib.figure import Figure

        figure = Figure(figsize=self.size, layout="constrained")
        axes = figure.add_subplot()
        figure.patch.set_alpha(0)
        axes.patch.set_alpha(0)
        self.draw(axes, colours)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        for side in ("left", "bottom"):
            axes.spines[side].set_color(colours.faint)
        axes.tick_params(colors=colours.ink, which="both")
        for text in (axes.xaxis.label, axes.yaxis.label):
            text.set_color(colours.ink)
        return figure


def plots(contents: Contents) -> dict[str, Plot]:
    """The plots that a table has the data for, by name."""
    scores = np.array([face.score for face in contents.table.faces])
    percentiles = np.array(
        [float(face.row["percentile"]) for face in contents.table.faces
         if face.row["percentile"] is not None]
    )  # fmt: skip
    made = [_scores(scores)]
    if len(percentiles):
        made.append(_reference(percentiles))
    if contents.problems:
        made.append(_problems(contents.problems))
    for number, (by, groups) in enumerate(contents.groups.items()):
        made.append(_groups(number, by, groups))
    if contents.agreement:
        made.append(_scatter(contents.agreement))
        if contents.agreement.by_range:
            made.append(_errors(contents.agreement))
    return {plot.name: plot for plot in made}


def svg(plot: Plot) -> str:
    """A plot as an SVG element for the page, which is hidden from those who get its text."""
    with _settings(plot.name):
        written = io.StringIO()
        plot.figure(PAGE).savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    text = written.getvalue()
    text = text[text.index("<svg") :]
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, variable)
    text = text.replace(PAGE.mark, MARK)
    text = FONT.sub(r"font: \1\2 system-ui, sans-serif", text)
    text = UNUSED_ID.sub(lambda found: found[0] if f"#{found[1]}" in text else "", text)
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(<svg [^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg [^>]*?) height="[^"]*"', r"\1", text, count=1)
    return text.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1)


def figure_files(made: Iterable[str], folder: Path) -> list[Path]:
    """The files that `save_figures` writes for plots of these names."""
    return [folder / f"{name}.{kind}" for name in made for kind in KINDS]


def save_figures(made: Mapping[str, Plot], folder: Path) -> None:
    """Write each plot as NAME.pdf and NAME.svg, after all of them are drawn.

    Raises:
        OSError: the folder cannot be written.
    """
    drawn = {}
    for name, plot in made.items():
        with _settings(name):
            figure = plot.figure(PAPER)
            for kind, date in KINDS.items():
                file = io.BytesIO()
                figure.savefig(file, format=kind, metadata={date: None}, transparent=True)
                drawn[folder / f"{name}.{kind}"] = file.getvalue()
    folder.mkdir(parents=True, exist_ok=True)
    for path, content in drawn.items():
        with replacing(path) as fresh:
            fresh.write_bytes(content)


def _settings(salt: str) -> Any:
    """matplotlib's settings: the same file for the same table, text that stays text."""
    import matplotlib

    return matplotlib.rc_context(
        {"svg.hashsalt": salt, "svg.fonttype": "none", "pdf.fonttype": 42, "font.size": 10}
    )


def _scores(scores: Scores) -> Plot:
    def draw(axes: Axes, colours: Colours) -> None:
        axes.hist(scores, bins=np.linspace(0, 1, BINS + 1).tolist(), color=colours.mark)
        for edge in BAND_EDGES:
            axes.axvline(edge, color=colours.faint, linewidth=1, linestyle="--")
        middles = np.convolve((0, *BAND_EDGES, 1), (0.5, 0.5), "valid")
        for word, middle in zip(BANDS, middles.tolist(), strict=True):
            axes.text(
                middle, 1.02, word, ha="center", fontsize=8, color=colours.ink,
                transform=axes.get_xaxis_transform(),
            )  # fmt: skip
        axes.set(xlim=(0, 1), xlabel="score", ylabel="faces")

    low, middle, high = np.quantile(scores, [0.05, 0.5, 0.95])
    spread = f"median {middle:.2f}, 90 % from {low:.2f} to {high:.2f}"
    text = f"Histogram of {len(scores):,} scores: {spread}."
    return Plot("scores", text, (WIDTH, HEIGHT), draw)


def _reference(percentiles: Scores) -> Plot:
    places = np.clip(percentiles // 10, 0, 9).astype(int)
    shares = 100 * np.bincount(places, minlength=10) / len(percentiles)

    def draw(axes: Axes, colours: Colours) -> None:
        axes.bar(np.arange(10) * 10 + 5, shares, width=9, color=colours.mark)
        axes.axhline(10, color=colours.accent, linewidth=1.5)
        axes.text(
            1.01, 10, "reference", va="center", fontsize=8, color=colours.accent,
            transform=axes.get_yaxis_transform(),
        )  # fmt: skip  # beside the bars, which would hide it
        axes.set(xlim=(0, 100), xlabel="percentile among the reference", ylabel="faces, %")
        axes.set_xticks(range(0, 101, 10))

    listed = ", ".join(f"{share:.0f}" for share in shares)
    text = f"Share of faces in each tenth of the reference, which has 10 % in each: {listed} %."
    return Plot("reference", text, (WIDTH, HEIGHT), draw)


def _problems(problems: Sequence[Problem]) -> Plot:
    shares = [100 * len(one.faces) / one.measured if one.measured else 0.0 for one in problems]

    def draw(axes: Axes, colours: Colours) -> None:
        axes.barh([one.name for one in problems][::-1], shares[::-1], color=colours.mark)
        axes.set(xlabel="faces with the problem, %", xlim=(0, max(1.0, *shares) * 1.05))

    listed = ", ".join(f"{one.name} {s:.0f} %" for one, s in zip(problems, shares, strict=True))
    return Plot("problems", f"Faces with a problem: {listed}.", _rows(len(problems)), draw)


def _groups(number: int, by: str, groups: Sequence[GroupAudit]) -> Plot:
    shown = sorted(groups, key=lambda one: one.mean.value)[-MOST_GROUPS:]

    def draw(axes: Axes, colours: Colours) -> None:
        _error_bars(axes, colours, [one.name for one in shown], [one.mean for one in shown])
        axes.set_xlabel("mean score")

    text = f"Mean scores of {len(groups)} groups by {by}; the table has the numbers."
    return Plot(f"groups-{number + 1}", text, _rows(len(shown)), draw)


def _scatter(found: Agreement) -> Plot:
    def draw(axes: Axes, colours: Colours) -> None:
        axes.plot((0, 1), (0, 1), color=colours.faint, linewidth=1, linestyle="--")
        axes.plot(
            found.scores, found.labels, "o", markersize=3, alpha=0.5, color=colours.mark,
            markeredgewidth=0, rasterized=len(found.scores) > MANY,
        )  # fmt: skip
        if found.curve:
            x = np.linspace(found.scores.min(), found.scores.max(), 100)
            axes.plot(x, found.curve(x), color=colours.accent, linewidth=2)
        axes.set(xlabel="score", ylabel="label", xlim=(0, 1), ylim=(0, 1))

    text = (
        f"Labels over scores of {len(found.scores):,} pictures, with the fitted curve and the line "
        f"where both are equal; SRCC {found.figures['SRCC'].value:.3f}."
    )
    return Plot("labels", text, (WIDTH, 4.0), draw)


def _errors(found: Agreement) -> Plot:
    def draw(axes: Axes, colours: Colours) -> None:
        axes.axvline(0, color=colours.faint, linewidth=1)
        gaps = found.by_range[::-1]
        _error_bars(axes, colours, [one.name for one in gaps], [one.residual for one in gaps])
        axes.set(xlabel="mean of score - label", ylabel="range of the label")

    listed = ", ".join(f"{gap.name}: {gap.residual.value:+.3f}" for gap in found.by_range)
    return Plot("errors", f"Mean errors by range of the label: {listed}.", _rows(5), draw)


def _error_bars(axes: Axes, colours: Colours, names: Sequence[str], values: Sequence[Any]) -> None:
    """Points with intervals on lines of their own, named at the left."""
    places = np.arange(len(names))
    middle = np.array([one.value for one in values])
    ends = np.array([(one.value - one.low, one.high - one.value) for one in values]).T
    axes.errorbar(middle, places, xerr=np.nan_to_num(ends), fmt="o", color=colours.mark, capsize=3)
    axes.set_yticks(places, [name if len(name) < 40 else f"{name[:38]}..." for name in names])
    axes.set_ylim(-0.7, len(names) - 0.3)


def _rows(count: int) -> tuple[float, float]:
    return WIDTH, 0.9 + ROW * count
