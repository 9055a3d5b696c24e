"""`facegauge data`: check public data sets, write manifests of them, and work on lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facegauge.cli.framing import framing
from facegauge.cli.label_scale import Scale as LabelRange
from facegauge.cli.label_scale import scale_of
from facegauge.cli.outputs import Overwrite
from facegauge.cli.progress import with_progress
from facegauge.cli.score_options import SOME_FAILED, Excel
from facegauge.cli.terminal import print_table, printable, say, tell
from facegauge.cli.verbs import PLAIN, Group
from facegauge.outputs import check_output

if TYPE_CHECKING:
    from facegauge.data.datasets import DataSet, DatasetOptions
    from facegauge.data.datasets.check import DatasetCheck

EPILOG = (
    "Exit codes: 0 nothing is wrong; 3 something is missing, unreadable or listed twice; 2 wrong "
    "usage, or the folder does not hold this data set; 1 unexpected error; 130 stopped by Ctrl-C."
)
MAX_LINES = 10
CSV = (".csv",)

data = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    help="Check public data sets, write manifests of them, and work on lists.",
    **PLAIN,
)

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of the data set")]
Name = Annotated[
    str,
    typer.Option("--as", metavar="DATASET", help="cgfiqa-40k, gfiqa-20k, piq23 or vquala-2025"),
]
Splits = Annotated[
    str | None,
    typer.Option(
        help="gfiqa-20k: photo or pyiqa, or official in DSL-FIQA's copy; piq23: device or scene  "
        "[default: the first of them]"
    ),
]
Attribute = Annotated[
    str, typer.Option(help="Rated attribute of piq23: Overall, Details or Exposure")
]
Val = Annotated[
    float,
    typer.Option(help="Fraction of train that becomes val where the data set has no val split"),
]
Scale = Annotated[
    str | None,
    typer.Option(
        metavar="LOW,HIGH",
        help="Labels that become 0 and 1  [default: -10,10 for piq23, else 0,1]",
    ),
]


@data.callback()
def datasets() -> None:
    """Check public data sets of rated faces, write manifests of them, and work on lists."""


def check(
    folder: Folder,
    *,
    name: Name,
    splits: Splits = None,
    attribute: Attribute = "Overall",
    val: Val = 0.1,
    scale: Scale = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Compare file names only; do not open the pictures")
    ] = False,
) -> None:
    """Report what a data set's folder holds, and what is missing, unreadable or duplicated.

    Pictures without a label are counted, but are no error.
    """
    from facegauge.data.datasets import read_dataset

    dataset = read_dataset(folder, name, _options(splits, attribute, val, scale))
    checked = None
    if not quick:
        from facegauge.data.datasets.check import check_pictures

        checked = check_pictures(
            dataset, lambda checks: with_progress(checks, dataset.manifest.paths, "opening")
        )
    _print_report(dataset, checked)
    if _is_incomplete(dataset) or (checked and (checked.unreadable or checked.identical)):
        raise typer.Exit(SOME_FAILED)


def manifest(
    folder: Folder,
    *,
    name: Name,
    output: Annotated[Path, typer.Option("--output", "-o", help="CSV file to write")],
    splits: Splits = None,
    attribute: Attribute = "Overall",
    val: Val = 0.1,
    scale: Scale = None,
    excel: Excel = False,
    overwrite: Overwrite = False,
) -> None:
    """Write the manifest of a data set, for train, evaluate and label.

    Missing pictures are left out and listed. No picture is opened; `facegauge data check` does so.
    """
    from facegauge.data.datasets import read_dataset, write_manifest

    check_output(output, suffixes=CSV, overwrite=overwrite)
    dataset = read_dataset(folder, name, _options(splits, attribute, val, scale))
    write_manifest(dataset.manifest, output, excel=excel, overwrite=overwrite)
    _say_written(output, dataset.manifest.splits)
    for note in dataset.notes:
        say(note)
    missing = (*dataset.missing_files, *dataset.missing_pictures)
    _say_left_out("missing", [str(path) for path in missing])
    _say_left_out("listed twice", dataset.duplicates)
    if _is_incomplete(dataset):
        raise typer.Exit(SOME_FAILED)


def join(
    manifests: Annotated[
        list[Path],
        typer.Argument(metavar="MANIFEST", help="CSV or Parquet with image and score (0..1)"),
    ],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="CSV file to write")],
    split: Annotated[str, typer.Option(help="Split of manifests without a column split")] = "train",
    excel: Excel = False,
    overwrite: Overwrite = False,
) -> None:
    """Join labelled manifests: data sets, your own labels, tables of pseudo-labels.

    A picture in several manifests keeps the row of the first. The column manifest, for
    `facegauge evaluate --by manifest`, names the manifest of each row.
    """
    from facegauge.data.datasets import write_manifest
    from facegauge.data.manifests import join_manifests, load_manifest

    check_output(output, manifests, CSV, overwrite=overwrite)
    parts = [load_manifest(path) for path in manifests]
    for part in parts:
        part.labels()
    whole, duplicates = join_manifests(parts, split)
    write_manifest(whole, output, excel=excel, overwrite=overwrite)
    _say_written(output, whole.splits)
    _say_left_out("also in an earlier manifest", [str(path) for path in duplicates])


def split(
    manifest: Annotated[
        Path, typer.Argument(metavar="LIST", help="CSV, JSONL or Parquet with image and score")
    ],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="CSV file to write")],
    val: Annotated[float, typer.Option(help="Share of the people or pictures for val")] = 0.2,
    test: Annotated[float, typer.Option(help="Share of the people or pictures for test")] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Of what is drawn")] = 0,
    scale: LabelRange = None,
    excel: Excel = False,
    overwrite: Overwrite = False,
) -> None:
    """Divide labelled pictures into train and val, and test if asked for.

    Pictures of one person (column identity, person or subject) stay together, and so do copies of
    one picture. Every split has low, middle and high labels. A column split is replaced.
    """
    from facegauge.data.datasets import write_manifest
    from facegauge.data.manifests import load_manifest
    from facegauge.data.splitting import people_column, split_manifest

    check_output(output, [manifest], CSV, overwrite=overwrite)
    listed = load_manifest(manifest, scale=scale_of(scale))
    whole = split_manifest(listed, val=val, test=test, seed=seed)
    write_manifest(whole, output, excel=excel, overwrite=overwrite)
    _say_written(output, whole.splits)
    people = people_column(whole)
    say(
        f"divided by {people or 'picture'}; no {'person' if people else 'picture'} is in two splits"
    )


def balance(
    manifest: Annotated[
        Path, typer.Argument(metavar="LIST", help="CSV, JSONL or Parquet with columns of groups")
    ],
    *,
    by: Annotated[
        str, typer.Option(metavar="A,B", help="Column, or columns whose crossings are the groups")
    ],
    n: Annotated[
        int | None,
        typer.Option("--n", min=1, help="Pictures of each group  [default: as the smallest has]"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of what is drawn")] = 0,
    output: Annotated[Path, typer.Option("--output", "-o", help="CSV file to write")],
    overwrite: Overwrite = False,
) -> None:
    """Draw as many pictures of each group, such as for `facegauge audit`; all columns stay."""
    from facegauge.data.balance import balance as draw
    from facegauge.data.datasets import write_manifest
    from facegauge.data.groups import groupings
    from facegauge.data.manifests import load_manifest

    check_output(output, [manifest], CSV, overwrite=overwrite)
    chosen = draw(load_manifest(manifest), by, n, seed)
    write_manifest(chosen, output, overwrite=overwrite)
    groups = len(set(groupings(chosen.group, [by])[-1].names))
    say(f"{output}: {len(chosen)} pictures, {len(chosen) // groups} of each of {groups} groups")


data.command("check", epilog=EPILOG)(check)
data.command("manifest", epilog=EPILOG)(manifest)
data.command("join")(join)
data.command("split")(split)
data.command("balance")(balance)
data.command("framing")(framing)


def _options(splits: str | None, attribute: str, val: float, scale: str | None) -> DatasetOptions:
    from facegauge.data.datasets import DatasetOptions
    from facegauge.data.label_scale import LabelScale

    if scale is None:
        return DatasetOptions(splits, attribute, val)
    ends = LabelScale.parse(scale)
    return DatasetOptions(splits, attribute, val, (ends.low, ends.high))


def _is_incomplete(dataset: DataSet) -> bool:
    return bool(dataset.missing_files or dataset.missing_pictures or dataset.duplicates)


def _print_report(dataset: DataSet, checked: DatasetCheck | None) -> None:
    from facegauge.data.datasets import FORMATS

    published = FORMATS[dataset.name].published
    on_disk = Counter(dataset.manifest.splits or ())
    rows = [
        [split, str(count), str(on_disk[split]), str(published.get(split, ""))]
        for split, count in dataset.labelled.items()
    ]
    print_table(["split", ">labelled", ">on disk", ">published"], rows)
    for note in dataset.notes:
        tell(f"note: {note}")
    if dataset.unlabelled:
        tell(f"pictures without a label: {len(dataset.unlabelled)}")
    if checked and checked.landmarks:
        tell(f"pictures with landmarks: {checked.landmarks}")
    missing_pictures = [f"{path} ({split})" for path, split in dataset.missing_pictures.items()]
    _print_list(
        "missing label files", [f"{f}: {what}" for f, what in dataset.missing_files.items()]
    )
    _print_list("missing pictures", missing_pictures)
    _print_list("listed twice", dataset.duplicates)
    if checked:
        _print_list("unreadable", [f"{file}: {why}" for file, why in checked.unreadable.items()])
        _print_list("identical files", [", ".join(map(str, paths)) for paths in checked.identical])


def _print_list(title: str, lines: Iterable[str]) -> None:
    """Print a count and the first lines on stdout; nothing for an empty list."""
    lines = list(lines)
    if lines:
        tell("\n".join([f"{title}: {len(lines)}", *_shortened(lines)]))


def _say_written(file: Path, splits: Iterable[str] | None) -> None:
    counts = Counter(splits or ())
    by_split = ", ".join(f"{count} {split}" for split, count in counts.items())
    say(f"{file}: {counts.total()} pictures ({by_split})")


def _say_left_out(reason: str, lines: Iterable[str]) -> None:
    """Print a count and the first lines on stderr; nothing for an empty list."""
    lines = list(lines)
    if lines:
        say("\n".join([f"left out, {reason}: {len(lines)}", *_shortened(lines)]))


def _shortened(lines: list[str]) -> list[str]:
    rest = [f"  and {len(lines) - MAX_LINES} more"] if len(lines) > MAX_LINES else []
    return [printable(f"  {line}") for line in lines[:MAX_LINES]] + rest
