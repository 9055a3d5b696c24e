"""Are groups of people scored alike by the shipped scorers? Writes docs/fairness*.

    python benchmarks/fairness.py --data portraits/images.csv --by gender,ethnicity

Every scorer scores the largest face of each picture; `facegauge audit` is what compares the groups.
Counterfactuals, which take sixteen times as long, are those of the scorers that --counterfactual
names, by default the default scorer.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from page import Table, name_of, publish

from facegauge import zoo
from facegauge.data.degradations import degrade
from facegauge.data.manifests import Manifest, load_manifest
from facegauge.evaluation.audit import Audit, GroupAudit
from facegauge.evaluation.audit_inputs import audit_table
from facegauge.evaluation.counterfactual import KINDS
from facegauge.evaluation.intervals import Interval
from facegauge.faces.extraction import FaceExtractor
from facegauge.faces.located import Located
from facegauge.faces.policy import ExtractionPolicy
from facegauge.faces.spec import PreprocessSpec
from facegauge.factors import FACTORS
from facegauge.factors.skin import Skin
from facegauge.scorer import Scorer

DOCS = Path(__file__).parent.parent / "docs"
COMMAND = "python benchmarks/fairness.py"
DARK = (1, 2, 3)  # severities
INTRO = """\
Do the shipped scorers give groups of people the same scores? Measured on {n} pictures of {data}, a
list with the columns {by}: {counts}.

{verdict} Above 0, the group's pictures score higher than all others.

The same pictures by [mean score and share accepted](fairness/scores.md), and
[under degradations](fairness/degraded.md). To measure your own pictures, see [audit](audit.md).

## How to read it

There are no labels of quality, so a gap may be the pictures' or the scorer's. *Among pictures
alike* takes out what the measured factors explain; the *counterfactual* gives every picture the
same degradations. Scorers were trained on pictures of this kind too, part of them from this list,
without labels: on other pictures gaps may be larger. The words for groups are those of the list's
authors.

{intervals}

Written by `{command}`. The figures are those of `facegauge audit`; a new version of a scorer needs
new pages."""
INTERVALS = """\
Every interval has the level {level:.2%}: 1 - 0.05 / {groups}, for {groups} groups (Bonferroni), so
that all intervals of a column hold together with 95 %. They are bootstrap intervals over pictures,
resampled within the finest groups."""
SCORES_INTRO = """\
How high the shipped scorers score groups of people, and how many of their pictures a threshold
would keep: {n} pictures of {data}, as in [fairness](../fairness.md), which says how to read the
figures.

{intervals}"""
DEGRADED_INTRO = """\
Do scores of one group fall further when every picture gets the same degradation? And why is skin
colour never a group? The pictures are those of [fairness](../fairness.md), {n} of {data}."""
GAP_NOTE = (
    "Mean of the group - mean of all other pictures. An interval that contains 0 is no evidence of "
    "a gap, nor that there is none: it says how large a gap can be."
)


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    manifest = load_manifest(options.data)
    audits = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in options.scorer:
            table = Path(folder) / f"{zoo.load_card(zoo.open_folder(name)).name}.csv"
            write_scores(name, manifest, table, options.faces)
            audits[table.stem] = audit_table(
                table,
                options.data,
                [options.by],
                accept=options.accept,
                alike=[one for one in alike_columns() if has_numbers(table, one)],
                counterfactual=name in options.counterfactual,
                scorer=name,
                faces="whole" if options.faces == "whole" else "auto",
            ).audit
    gaps = [
        by_scorer(audits, "Gap to all others", lambda one: shown(one.gap, "+"), GAP_NOTE),
        by_scorer(
            audits,
            "Gap among pictures alike",
            lambda one: shown(one.alike, "+"),
            f"Alike in {', '.join(alike_columns())}, by a regression within the finest groups.",
        ),
    ]
    scores = [
        by_scorer(audits, "Mean score", lambda one: shown(one.mean), "Scores are from 0 to 1."),
        by_scorer(
            audits,
            f"Share accepted at {options.accept}",
            lambda one: shown(one.accepted),
            "As if a program kept pictures with at least this score.",
        ),
        ratios(audits),
    ]
    degraded = [
        *(drops(name, found) for name, found in audits.items() if found.drops),
        *skin_stability(manifest, options.faces),
    ]
    first, others = intros(options, manifest, audits)
    folder = options.results / "fairness"
    publish("fairness", "Fairness", first, gaps, options.results)
    publish("scores", "Scores of groups", others[0], scores, folder)
    publish("degraded", "Groups under degradations", others[1], degraded, folder)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data", required=True, help="manifest of portraits with columns of groups")
    add("--by", default="gender,ethnicity", help="columns of groups (default: %(default)s)")
    add(
        "--faces",
        default="largest",
        help="largest, or whole for framed faces (default: %(default)s)",
    )
    add("--accept", type=float, default=0.45, help="least score accepted (default: %(default)s)")
    add("--scorer", nargs="+", default=zoo.names(), help="scorers (default: all shipped ones)")
    add(
        "--counterfactual",
        nargs="*",
        default=[zoo.DEFAULT],
        help="scorers that score degraded copies too (default: the default scorer)",
    )
    add("--results", type=Path, default=DOCS, help="folder for the pages (default: docs)")
    return parser.parse_args(arguments)


def write_scores(name: str, manifest: Manifest, table: Path, faces: str) -> None:
    """A score table with all factors."""
    scorer = Scorer(name, faces=faces, factors=list(FACTORS))
    with scorer.open_table(table) as file:
        for result in scorer.score_iter(manifest.paths):
            file.write(result)


def alike_columns() -> list[str]:
    """Columns of the shipped factors, without the skin's: its colour is no defect of a picture."""
    factors = [FACTORS[name](PreprocessSpec()) for name in FACTORS if name != Skin.name]
    return [column.name for one in factors for column in one.columns if column.type != "str"]


def has_numbers(table: Path, column: str) -> bool:
    from facegauge.data.list_files import read_columns

    return any(read_columns(table)[column])


def intros(
    options: argparse.Namespace, manifest: Manifest, audits: dict[str, Audit]
) -> tuple[str, tuple[str, str]]:
    """What the first page says before its tables, and what the two others say."""
    first = next(iter(audits.values()))
    sizes = sorted({group.n for group in first.groups})
    told = {
        "command": f"{COMMAND} --data {name_of(options.data)} --by {options.by}",
        "n": len(manifest),
        "data": name_of(options.data),
        "by": options.by.replace(",", " and "),
        "counts": f"{len(first.groups)} groups of {sizes[0]} to {sizes[-1]} pictures",
        "intervals": INTERVALS.format(level=first.level, groups=len(first.groups)),
        "verdict": verdict(audits),
    }
    others = SCORES_INTRO.format(**told), DEGRADED_INTRO.format(**told)
    return INTRO.format(**told), others


def verdict(audits: dict[str, Audit]) -> str:
    """Which gaps exclude 0, and the largest gap."""
    clear = {
        name: [
            f"{one.name} ({one.gap.value:+.3f})"
            for one in found.groups
            if not one.few and (one.gap.low > 0 or one.gap.high < 0)
        ]
        for name, found in audits.items()
    }
    gaps = [abs(one.gap.value) for a in audits.values() for one in a.groups if not one.few]
    told = "No gap of a group of 30 or more has an interval that excludes 0."
    if shown := [f"`{name}`: {', '.join(groups)}" for name, groups in clear.items() if groups]:
        told = f"The gaps whose intervals exclude 0 are {'; '.join(shown)}."
    return f"The largest gap of any group and scorer is {max(gaps, default=0.0):.3f}. {told}"


def by_scorer(
    audits: dict[str, Audit], title: str, cell: Callable[[GroupAudit], str], note: str
) -> Table:
    first = next(iter(audits.values()))
    rows = [
        [one.name, f"{one.n}{' (few)' if one.few else ''}"]
        + [cell(found.groups[place]) for found in audits.values()]
        for place, one in enumerate(first.groups)
    ]
    return Table(title, ("group", "n", *audits), rows, note)


def ratios(audits: dict[str, Audit]) -> Table:
    rows = [
        [name, one.by, f"{one.least} to {one.greatest}", shown(one.ratio)]
        for name, found in audits.items()
        for one in found.ratios
    ]
    note = (
        "The least share accepted over the greatest. It is below 1 by chance alone, the more so "
        "the more and the smaller the groups are; so is its interval."
    )
    return Table(
        "Least to greatest share accepted", ("scorer", "by", "groups", "ratio"), rows, note
    )


def drops(name: str, found: Audit) -> Table:
    gaps = {(one.by, one.name, one.kind): shown(one.gap, "+") for one in found.drops}
    means = {kind: np.mean([one.drop.value for one in found.drops if one.kind == kind
                            and one.by == found.drops[-1].by]) for kind in KINDS}  # fmt: skip
    rows = [["all (mean drop)", *(f"{means[kind]:.3f}" for kind in KINDS)]]
    rows += [[one.name, *(gaps[one.by, one.name, kind] for kind in KINDS)] for one in found.groups]
    note = (
        "The same degradations on every picture, in the same frame, severities 1 to 3: mean drop "
        "of the group's scores - that of all others. Above 0 the group's scores fall more. "
        f"Intervals at {found.drop_level:.3%}, for {len(found.groups)} groups and {len(KINDS)} "
        "kinds."
    )
    return Table(f"Counterfactual: {name}", ("group", *KINDS), rows, note)


def skin_stability(manifest: Manifest, faces: str) -> list[Table]:
    """How much the apparent skin colour of one face depends on the picture, if it can be seen."""
    spec = PreprocessSpec()
    skin, extractor = Skin(spec), FaceExtractor(spec, ExtractionPolicy(faces))

    def measured(located: Located) -> list[float]:
        if not (faces := located.upright()):
            return []
        first, found = faces[0], []
        for severity in (0, *DARK):
            pixels = degrade(first.pixels, "dark", severity, np.random.default_rng(0))
            found.append(skin.measure(pixels, first.face, first.frame))
        if not all(found):
            return []
        angles = [float(one["skin_ita"] or 0) for one in found]
        return [float(found[0]["skin_ita_difference"] or 0), *angles]

    rows = [one for one in extractor.map(manifest.paths, measured) if one]
    if not rows:
        return []
    values = np.array(rows)
    cells = [["difference between the two cheeks of a face", f"{np.median(values[:, 0]):.0f}"]]
    for severity in DARK:
        fall = np.median(values[:, 1] - values[:, 1 + severity])
        cells.append([f"fall under `dark` of severity {severity}", f"{fall:.0f}"])
    note = (
        "The factor `skin` measures the apparent colour of the cheeks. Light moves it by tens of "
        "degrees, and the two cheeks of a face differ, so it is never a group here. "
        f"Medians of {len(rows)} faces."
    )
    head = "individual typology angle", "degrees"
    return [Table("Why not by skin colour", head, cells, note)]


def shown(estimate: Interval | None, sign: str = "") -> str:
    if estimate is None or estimate.value != estimate.value:
        return ""
    ends = f" [{estimate.low:{sign}.3f}, {estimate.high:{sign}.3f}]"
    return f"{estimate.value:{sign}.3f}{ends if estimate.low == estimate.low else ''}"


if __name__ == "__main__":
    main()
