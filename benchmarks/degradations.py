"""Do the encoders of `facegauge train dsl` retrieve by degradation or by content?

    python benchmarks/degradations.py --data labels.csv both=runs/dsl patches=runs/patches

Each row is NAME=FOLDER, the run folder of an encoder or of a whole `dsl` run. Two rows are added:
the first one's network with random weights and, if it started from a scorer's layers, as
initialised. The labelled pictures with the highest labels, one per person, are shown under every
degradation. Reported: the mean average precision with which a picture retrieves others with the
same degradation and another face, by its mean cell and by all its cells; how well a linear probe of
the cells, fitted to half of the people and tested on the others, predicts kind and severity.
Training must not have seen these people.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import torch
from page import Table, arguments_for, name_of, publish
from rows import named, shown

from facegauge.data.manifests import load_manifest
from facegauge.faces.spec import PreprocessSpec
from facegauge.nn.build import build
from facegauge.nn.checkpoints import Run, load_run
from facegauge.training.init_from import is_pretrained
from facegauge.training.methods.dsl_fiqa.encoder import DegradationEncoder
from facegauge.training.methods.dsl_fiqa.probe import linear_probe
from facegauge.training.methods.dsl_fiqa.recipe import load_encoder
from facegauge.training.methods.dsl_fiqa.retrieval import (
    DegradedFaces,
    degraded_people,
    embed,
    retrieval,
)
from facegauge.training.start import load_pretrained


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    encoders = {name: load_encoder(folder) for name, folder in options.rows.items()}
    first = next(iter(options.rows))
    run = load_run(options.rows[first])
    spec, encoders = run.spec, {**before_training(run, encoders[first]), **encoders}
    manifest = load_manifest(options.data).where(split=options.split)
    faces = degraded_people(manifest, spec, options.people, seed=1)
    rows = [row(name, encoder, faces, spec) for name, encoder in encoders.items()]
    columns = (
        *("encoder", "retrieval by mean cell, mAP", "by all cells", "chance"),
        *("kind, accuracy", "chance", "severity, SRCC"),
    )
    note = "Intervals: bootstrap 95 %, over pictures. Severity is predicted over all kinds at once."
    people, kinds = (len(set(column)) for column in (faces.identities, faces.kinds))
    intro = (
        f"{people} people of {name_of(options.data)}, split {options.split}, under {kinds} "
        f"degradations: {len(faces.views)} pictures."
    )
    table = Table("Retrieval and linear probe", columns, rows, note)
    publish(options.name, "Retrieval by degradation", intro, [table], options.results)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments_for(__doc__)
    add = parser.add_argument
    add(
        "rows",
        nargs="+",
        metavar="NAME=FOLDER",
        help="run folder of an encoder or of a dsl run",
    )
    add(
        "--data",
        required=True,
        help="labelled manifest; pictures framed as their labels saw them",
    )
    add("--split", default="val", help="split to evaluate on (default: val)")
    add("--people", type=int, default=100, help="number of people (default: %(default)s)")
    add("--name", default="degradations", help="name of the page (default: degradations)")
    options = parser.parse_args(arguments)
    options.rows = named(options.rows, "a row")
    return options


def before_training(run: Run, encoder: DegradationEncoder) -> dict[str, DegradationEncoder]:
    """The network of a run with random weights, and as initialised."""
    torch.manual_seed(0)
    blank, initial = (build(encoder.config) for _ in range(2))
    assert isinstance(blank, DegradationEncoder) and isinstance(initial, DegradationEncoder)
    settings = run.settings.get("encoder", {})
    body = settings.get("init_from") or settings.get("body", "")  # the latter in runs of 0.1
    if not is_pretrained(body):
        return {"random weights": blank}
    initial.load_backbone(load_pretrained(body, encoder.config["backbone"]))
    return {"random weights": blank, f"as initialised ({body})": initial}


def row(
    name: str, encoder: DegradationEncoder, faces: DegradedFaces, spec: PreprocessSpec
) -> list[str]:
    cells = embed(encoder, faces.views, spec)
    found = retrieval(cells, faces.kinds, faces.identities)
    mean = retrieval(embed(encoder, faces.views, spec, part="mean"), faces.kinds, faces.identities)
    read = linear_probe(cells, faces.kinds, faces.severities, faces.identities)
    return [
        name,
        shown(mean.precision),
        shown(found.precision),
        f"{found.chance:.3f}",
        shown(read.accuracy),
        f"{read.chance:.3f}",
        shown(read.severity),
    ]


if __name__ == "__main__":
    main()
