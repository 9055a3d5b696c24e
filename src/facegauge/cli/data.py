"""`facegauge data`: public data sets, looked through and turned into manifests; lists joined."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facegauge.cli.score import SOME_FAILED
from facegauge.cli.terminal import print_table, printable, say, watched
from facegauge.errors import UsageError

if TYPE_CHECKING:
    from facegauge.data.datasets import Choices, DataSet
    from facegauge.data.datasets.check import Check

EPILOG = (
    "Exit codes: 0 everything is there; 3 something is missing, unreadable or listed twice; 2 "
    "wrong usage, or the folder does not hold this data set; 1 unexpected error; 130 stopped by "
    "Ctrl-C."
)
SHOWN = 10

data = typer.Typer(
    no_args_is_help=True, help="Check public data sets and turn them into manifests; join lists."
)

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the data set lies")]
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
Attribute = Annotated[str, typer.Option(help="Of piq23: Overall, Details or Exposure")]
Val = Annotated[
    float, typer.Option(help="Share of train that becomes val where the data set has no val")
]
Scale = Annotated[
    str | None,
    typer.Option(
        metavar="LOW,HIGH",
        help="The labels that become 0 and 1  [default: -10,10 for piq23, else 0,1]",
    ),
]


@data.callback()
def datasets() -> None:
    """Check public data sets of rated faces, turn them into manifests, and join lists."""


def check(
    folder: Folder,
    *,
    name: Name,
    splits: Splits = None,
    attribute: Attribute = "Overall",
    val: Val = 0.1,
    scale: Scale = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Compare names only; do not open the pictures")
    ] = False,
) -> None:
    """Say what a data set's folder holds, and what is missing, unreadable or there twice.

    Pictures without a label are counted and do not matter.
    """
    from facegauge.data.datasets import read_dataset

    found = read_dataset(folder, name, _choices(splits, attribute, val, scale))
    looked = None
    if not quick:
        from facegauge.data.datasets.check import check_pictures

        looked = check_pictures(found, lambda looks: watched(looks, found.manifest.paths))
    _print(found, looked)
    wrong = found.absent or found.missing or found.repeated
    if wrong or (looked and (looked.unreadable or looked.twins)):
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
) -> None:
    """Write the manifest of a data set, for train, evaluate and label.

    Pictures that are missing are left out and named. None is opened: check does that.
    """
    from facegauge.data.datasets import read_dataset, write_manifest

    found = read_dataset(folder, name, _choices(splits, attribute, val, scale))
    write_manifest(found.manifest, output)
    counts = ", ".join(f"{count} {split}" for split, count in _present(found).items())
    say(f"{output}: {len(found.manifest)} pictures ({counts})")
    for note in found.notes:
        say(note)
    _say_some("missing", [str(path) for path in (*found.absent, *found.missing)])
    _say_some("listed twice", found.repeated)
    if found.absent or found.missing or found.repeated:
        raise typer.Exit(SOME_FAILED)


def join(
    lists: Annotated[
        list[Path],
        typer.Argument(metavar="LIST...", help="CSV or Parquet with image and score (0..1)"),
    ],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="CSV file to write")],
    split: Annotated[str, typer.Option(help="Of the rows of lists without a column split")] = (
        "train"
    ),
) -> None:
    """Put labelled lists together: data sets, labels of one's own, tables of pseudo-labels.

    A picture in several lists keeps the row of the first. A column manifest, for evaluate --by,
    says which list a row is from.
    """
    from facegauge.data.datasets import write_manifest
    from facegauge.data.manifests import joined, load_manifest

    found = [load_manifest(path) for path in lists]
    for one in found:
        one.labels()
    whole, again = joined(found, split)
    write_manifest(whole, output)
    counts = ", ".join(f"{count} {name}" for name, count in Counter(whole.splits).items())
    say(f"{output}: {len(whole)} pictures ({counts})")
    _say_some("in an earlier list too", [str(path) for path in again])


data.command("check", epilog=EPILOG)(check)
data.command("manifest", epilog=EPILOG)(manifest)
data.command("join")(join)


def _choices(splits: str | None, attribute: str, val: float, scale: str | None) -> Choices:
    from facegauge.data.datasets import Choices

    if scale is None:
        return Choices(splits, attribute, val)
    try:
        low, high = (float(end) for end in scale.split(","))
    except ValueError:
        raise UsageError(f"--scale takes two numbers, such as 0,100; got {scale!r}") from None
    return Choices(splits, attribute, val, (low, high))


def _present(found: DataSet) -> dict[str, int]:
    return dict(Counter(found.manifest.splits or ()))


def _print(found: DataSet, looked: Check | None) -> None:
    from facegauge.data.datasets import FORMATS

    published, there = FORMATS[found.name].published, _present(found)
    rows = [
        [split, str(count), str(there.get(split, 0)), str(published.get(split, ""))]
        for split, count in found.splits.items()
    ]
    print_table(["split", ">labelled", ">there", ">as published"], rows)
    for note in found.notes:
        typer.echo(printable(f"note: {note}"))
    if found.strays:
        typer.echo(f"pictures without a label: {len(found.strays)}")
    if looked and looked.landmarks:
        typer.echo(f"pictures with landmarks: {looked.landmarks}")
    _list("label files missing", [f"{file}: {what}" for file, what in found.absent.items()])
    _list("pictures missing", [f"{path} ({split})" for path, split in found.missing.items()])
    _list("listed twice", found.repeated)
    if looked:
        _list("unreadable", [f"{path}: {why}" for path, why in looked.unreadable.items()])
        _list("the same file", [", ".join(map(str, twins)) for twins in looked.twins])


def _list(what: str, lines: Iterable[str]) -> None:
    """A count and the first lines, on stdout; nothing when there are none."""
    lines = list(lines)
    if lines:
        typer.echo("\n".join([f"{what}: {len(lines)}", *_first(lines)]))


def _say_some(what: str, lines: Iterable[str]) -> None:
    """The same on stderr."""
    lines = list(lines)
    if lines:
        say("\n".join([f"{what}, left out: {len(lines)}", *_first(lines)]))


def _first(lines: list[str]) -> list[str]:
    rest = [f"  and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return [printable(f"  {line}") for line in lines[:SHOWN]] + rest
