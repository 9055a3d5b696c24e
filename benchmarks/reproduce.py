"""From a data set's folder to a paper's figures: every step, by one command.

    python benchmarks/reproduce.py cgfiqa-40k CGFIQA -o runs/cgfiqa --clean FFHQ
    python benchmarks/reproduce.py piq23 --mock -o runs/mock-piq23

It checks the folder, writes its manifest, measures its framing, trains by the preset `paper`,
evaluates by the data set's protocol, exports and scores. docs/reproduce.md has the commands, their
cost and the published figures. With --mock the folder is generated (see mock_sets.py), networks are
tiny and steps few: all is tried in seconds, and the figures mean nothing.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import mock_sets
import typer

from facegauge.cli import app
from facegauge.data.manifests import load_manifest

INCOMPLETE = 3  # exit code of check and manifest: something is missing, and named
SCORED = 20  # pictures of the test split, by the exported scorer


@dataclass(frozen=True)
class Protocol:
    """How a data set is used.

    Attributes:
        method: of the paper that has figures on it.
        split: that is evaluated.
        by: groups of the evaluation.
    """

    method: str
    split: str = "test"
    by: tuple[str, ...] = ()
    labels: str = "MOS"


PROTOCOLS = {
    "gfiqa-20k": Protocol("dsl"),
    "cgfiqa-40k": Protocol("dsl"),
    "piq23": Protocol("dsl", by=("scene",), labels="JOD"),
    "vquala-2025": Protocol("efficient", split="val", labels="challenge label"),
}
FEW = ("fit.steps=2", "fit.validate_every=2", "fit.save_every=2", "fit.precision=fp32")
TINY = {
    "dsl": [
        "core.backbone=shufflenet_v2_x0_5", "core.init_from=", "core.tap_width=4", "core.width=16",
        "core.mlp=16", "core.decoder_width=8", "core.decoder_heads=2", "core.plan.labelled=4",
        "encoder.channels=[4, 8]", "encoder.plan.degraded=3", "encoder.plan.real=4",
        "encoder.plan.min_label=0.5", "retrieval.people=2",
        *(f"{part}.{one}" for part in ("encoder", "core") for one in FEW),
    ],
    "efficient": [
        "teachers.swin_b.backbone=mobilenet_v2", "teachers.swin_b.init_from=mobile",
        "student.backbone=mobilenet_v2", "student.init_from=mobile", "teacher.plan.labelled=4",
        "teacher_plus.plan.labelled=4", "student.plan.labelled=4",
        *(f"{part}.{one}" for part in ("teachers.swin_b", "teacher_plus", "student")
          for one in FEW),
    ],
    "mspt": [
        "network.backbone=shufflenet_v2_x0_5", "network.init_from=", "max_held_out=6",
        *(f"stages.{stage}.fit.warmup=0" for stage in ("one", "two", "three")),
        *(f"stages.{stage}.{one}" for stage in ("one", "two", "three") for one in FEW),
    ],
    "ensemble": [
        "student.init_from=", "student.plan.labelled=4",
        *(f"members.{name}.fit.warmup=0" for name in ("mobilenet_v3_small", "shufflenet_v2_x1_0")),
        *(f"members.{name}.{one}" for name in ("mobilenet_v3_small", "shufflenet_v2_x1_0")
          for one in FEW),
    ],
}  # fmt: skip
"""What --mock changes of the preset: backbones and batches; the geometry stays the paper's."""
LISTS = {
    "dsl": ("clean",),
    "efficient": ("unlabelled_a", "unlabelled_b"),
    "mspt": ("unlabelled", "portraits"),
    "ensemble": (),
}
MOCK_LISTS = {
    "clean": "clean",
    "portraits": "clean",
    "unlabelled": "faces",
    "unlabelled_a": "faces",
    "unlabelled_b": "clean",
}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=list(PROTOCOLS))
    parser.add_argument("folder", type=Path, nargs="?", help="of the data set")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of all results")
    parser.add_argument("--method", choices=list(LISTS), help="default: that of the paper")
    parser.add_argument("--splits", help="as for facegauge data manifest")
    for name in dict.fromkeys(name for names in LISTS.values() for name in names):
        parser.add_argument(f"--{name.replace('_', '-')}", type=Path, help="as for facegauge train")
    parser.add_argument("--teacher", default="mobile", help="of mspt")
    parser.add_argument("--set", action="append", default=[], help="as for facegauge train")
    parser.add_argument("--mock", action="store_true", help="on a generated folder, in seconds")
    parser.add_argument("--resume", action="store_true", help="go on with training")
    asked = parser.parse_args(arguments)
    if asked.mock:
        prepare_mock(asked)
    if asked.folder is None:
        parser.error("give the data set's folder, or --mock")
    asked.method = asked.method or PROTOCOLS[asked.name].method
    missing = [name for name in LISTS[asked.method] if getattr(asked, name) is None]
    if missing:
        parser.error(f"{asked.method} needs --{missing[0].replace('_', '-')}")
    asked.output.mkdir(parents=True, exist_ok=True)
    for words in commands(asked):
        carry_out(words)


def prepare_mock(asked: argparse.Namespace) -> None:
    """Generate the folder and its lists, and shrink networks and steps."""
    asked.folder = asked.output / asked.name
    asked.method = asked.method or PROTOCOLS[asked.name].method
    if not asked.folder.exists():
        mock_sets.make(asked.name, asked.folder)
    for name in LISTS[asked.method]:
        pictures = asked.folder.with_name(f"{asked.folder.name}_{MOCK_LISTS[name]}")
        # mspt holds out an eighth of a folder, which is too few
        setattr(asked, name, pictures / mock_sets.SPLIT if asked.method == "mspt" else pictures)
    # the paper's 20 crops on one set are enough
    crops = ["input.crops=3"] if asked.method == "dsl" and asked.name != "cgfiqa-40k" else []
    # dense landmarks lie beside the pictures of that set
    dense = ["core.landmarks=100"] if asked.method == "dsl" and not crops else []
    asked.set = ["workers=0", *TINY[asked.method], *crops, *dense, *asked.set]


def commands(asked: argparse.Namespace) -> Iterator[list[str]]:
    """The steps in order, as words of the command line."""
    out, protocol = asked.output, PROTOCOLS[asked.name]
    labels, framing, run = out / "labels.csv", out / "framing.toml", out / "run"
    kind = ["--as", asked.name, *(["--splits", asked.splits] if asked.splits else [])]
    if asked.mock:
        kind += ["--val", "0.25"]
    yield ["data", "check", str(asked.folder), *kind]
    if not labels.exists():
        yield ["data", "manifest", str(asked.folder), *kind, "-o", str(labels)]
    few = ["--n", "12"] if asked.mock else []
    yield ["data", "framing", str(labels), "-o", str(framing), "--overwrite", *few]
    lists = [
        word
        for name in LISTS[asked.method]
        for word in (f"--{name.replace('_', '-')}", str(getattr(asked, name)))
    ]
    teacher = ["--teacher", asked.teacher] if asked.method == "mspt" else []
    pairs = [word for pair in asked.set for word in ("--set", pair)]
    more = ["--resume"] if asked.resume else []
    yield [
        "train", asked.method, "--data", str(labels), "--preset", "paper",
        "--framing", str(framing), *lists, *teacher, *pairs, *more, "-o", str(run),
    ]  # fmt: skip
    by = [word for name in protocol.by for word in ("--by", name)]
    result = ["--split", protocol.split, "--label-name", protocol.labels, *by]
    figures = ["-o", str(out / "evaluation.json"), "--overwrite"]
    yield ["evaluate", str(run), "--data", str(labels), *result, *figures]
    scorer = out / "scorer"
    yield [
        "export", str(run), "--data", str(labels), "--label-name", protocol.labels,
        "-o", str(scorer),
    ]  # fmt: skip
    pictures = (
        load_manifest(labels).where(split=protocol.split).paths[: 3 if asked.mock else SCORED]
    )
    yield [
        "score", *map(str, pictures), "--scorer", str(scorer), "--faces", "largest",
        "-o", str(out / "scores.csv"),
    ]  # fmt: skip


def carry_out(words: Sequence[str]) -> None:
    """Print a command and run it in this process; stop where it fails."""
    print(f"$ facegauge {shlex.join(words)}", flush=True)
    try:
        code = typer.main.get_command(app)(list(words), standalone_mode=False)
    except SystemExit as exit_:
        code = exit_.code
    if code not in (None, 0, INCOMPLETE):
        raise SystemExit(code)


if __name__ == "__main__":
    main()
