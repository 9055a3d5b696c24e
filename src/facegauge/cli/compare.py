"""`facegauge compare`: two versions of the same pictures, such as before and after."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facegauge.cli.outputs import Overwrite
from facegauge.cli.score_options import (
    SOME_FAILED,
    BatchSize,
    DetectSize,
    Device,
    Exclude,
    Faces,
    MaxPixels,
    MinFace,
    ScorerName,
    Threads,
    open_scorer,
)
from facegauge.cli.table_options import (
    Face,
    LowerBetter,
    Output,
    PathColumn,
    ScoreColumn,
    interval,
    print_left_out,
    write_json,
)
from facegauge.cli.terminal import print_table, tell, with_noun
from facegauge.outputs import check_output

if TYPE_CHECKING:
    from facegauge.evaluation.compare import Comparison, Fidelity
    from facegauge.evaluation.intervals import Interval

EPILOG = (
    "Exit codes: 0 done; 3 some pictures could not be compared; 2 wrong usage, or none could; "
    "1 unexpected error; 130 stopped by Ctrl-C."
)
MOST = 10  # pictures that changed most
Version = Annotated[
    str, typer.Argument(metavar="FOLDER|TABLE", help="Folder with pictures, or table of scores")
]


def compare(
    a: Version,
    b: Version,
    *,
    reference: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Folder with the true pictures; adds PSNR and SSIM of both"
        ),
    ] = None,
    faces: Faces = "auto",
    scorer: ScorerName = "mobile",
    face: Face = "0",
    path_column: PathColumn = None,
    score_column: ScoreColumn = None,
    lower_better: LowerBetter = False,
    min_face: MinFace = 24,
    detect_size: DetectSize = None,
    batch_size: BatchSize = 2,
    threads: Threads = None,
    device: Device = "cpu",
    max_pixels: MaxPixels = None,
    exclude: Exclude = None,
    output: Output = None,
    overwrite: Overwrite = False,
) -> None:
    """Compare two versions of the same pictures: means, differences, and what changed most.

    Pictures are paired by their paths in the folders or tables, with or without the suffix, or by
    their file names. Pictures of folders are scored; the options for scoring are for these only.
    """
    from facegauge.evaluation.compare import compare as compare_versions
    from facegauge.evaluation.table_scores import TableOptions

    check_output(output, [a, b], (".json",), overwrite=overwrite)
    options = TableOptions(path_column, score_column, lower_better, face)
    opened = None
    if any(Path(version).is_dir() for version in (a, b)):
        opened = open_scorer(
            scorer,
            faces=faces,
            min_face=min_face,
            detect_size=detect_size,
            batch_size=batch_size,
            threads=threads,
            device=device,
            max_pixels=max_pixels,
        )
    found = compare_versions(
        a, b, reference=reference, scorer=opened, options=options, exclude=exclude or ()
    )
    _print(found, (a, b))
    write_json(output, {"a": a, "b": b, **found.to_dict()})
    if found.left_out:
        raise typer.Exit(SOME_FAILED)


def _print(found: Comparison, versions: Sequence[str]) -> None:
    from facegauge.evaluation.intervals import FEW

    n, changes = len(found.names), found.b - found.a
    for letter, version in zip("AB", versions, strict=True):
        tell(f"{letter}: {version}")
    if found.unlike:
        tell("note: they were scored differently, so the difference is not of the pictures alone:")
        tell(f"  {'; '.join(found.unlike)}")
    improved = changes if found.higher_is_better else -changes
    worse, same = int((improved < 0).sum()), int((improved == 0).sum())
    tell(
        f"{with_noun(n, 'picture')} in both: {n - worse - same} better in B, {same} equal, "
        f"{worse} worse" + ("" if found.higher_is_better else "; a lower score is better")
    )
    rows = [
        ["mean of A", interval(found.mean_a)],
        ["mean of B", interval(found.mean_b)],
        ["mean of B - A", interval(found.difference, "+")],
        ["share better in B", interval(found.better)],
        *(row for key, value in found.fidelity.items() for row in _fidelity(key, value)),
    ]
    print_table(["", "95 % interval"], rows)
    if found.bands:
        print_table(
            ["band", ">in A", ">in B", "mean of B - A, by band in A", "share better"],
            [
                [
                    *(one.band, str(one.n), str(one.n_after)),
                    *(interval(one.difference, "+"), interval(one.better)),
                ]
                for one in found.bands
            ],
        )
    rows = [
        [f"{found.a[row]:.3f}", f"{found.b[row]:.3f}", f"{changes[row]:+.3f}", found.names[row]]
        for row in found.most_changed(MOST)
    ]
    if rows:
        print_table([">A", ">B", ">B - A", "/changed most"], rows)
    if n < FEW:
        tell(f"fewer than {FEW} pictures: Student's t, shares: Wilson; otherwise bootstrap")
    print_left_out(found.left_out, title="pictures that were not compared")


def _fidelity(key: str, value: Fidelity) -> list[list[str]]:
    title = f"{key.upper()}{', dB' if key == 'psnr' else ''}"
    sides = ("A", value.mean_a, value.equal_a), ("B", value.mean_b, value.equal_b)
    rows = [
        [f"{title}: {letter}, n = {mean.n}", _measured(mean, equal)]
        for letter, mean, equal in sides
    ]
    difference = value.difference
    shown = interval(difference, "+") if difference.n else "none, of no picture in both"
    return [*rows, [f"{title}: B - A, n = {difference.n}", shown]]


def _measured(mean: Interval, equal: int) -> str:
    """A mean likeness, beside the pictures that equal their reference."""
    if not equal:
        return interval(mean)
    if not mean.n:
        return f"identical to the reference ({with_noun(equal, 'picture')})"
    return f"{interval(mean)}; {equal} more identical"
