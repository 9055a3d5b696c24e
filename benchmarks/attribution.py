"""How much of the scores do the factors of quality explain, and which of them?

    python benchmarks/attribution.py --photos photos/labels.csv --crops crops/labels.csv

For each scorer, an additive model of the factors is fitted to its scores on the val split, as
`facegauge export` and `facegauge calibrate` do for its card. Reported: the share of the scores'
variance that it explains on pictures left out of the fit (R2, ten folds), with a bootstrap 95 %
interval, and for photos how far each factor moves a score from its worst to its best value.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from page import Table, arguments_for, name_of, publish
from pictures import chosen

from facegauge import zoo
from facegauge.attribution import LEAST_R2, Attribution
from facegauge.data.manifests import Manifest, load_manifest
from facegauge.evaluation.attribution import fit_attribution, measure_factors
from facegauge.evaluation.predictions import predict_with
from facegauge.faces.spec import PreprocessSpec
from facegauge.predictors import OnnxPredictor
from facegauge.ratings import RATINGS

Factors = list[dict[str, float | None]]


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    lists = {"photos": ("auto", chosen(load_manifest(options.photos), options.split, options.n))}
    if options.crops:
        lists["crops"] = "whole", chosen(load_manifest(options.crops), options.split, options.n)
    explained, moved = [], []
    for what, (faces, pictures) in lists.items():
        known: dict[str, Factors] = {}  # scorers with one spec have the same faces
        for scorer in options.scorers:
            model = fitted(OnnxPredictor(scorer), pictures, faces, known)
            shown = "yes" if what == "photos" and model.explains else "no"
            r2 = f"{model.r2:.2f} [{model.low:.2f}, {model.high:.2f}]"
            explained.append([what, scorer, model.n, r2, shown])
            if what == "photos":
                moved.append([scorer, *(span(model, factor) for factor in RATINGS)])
    note = (
        f"Shares are shown for photos, and only where R2 is {LEAST_R2} or more: a picture that is "
        "taken whole is not described by the model of photos."
    )
    tables = [
        Table("R2", ("pictures", "scorer", "n", "R2", "shares are shown"), explained, note),
        Table("Photos: range of what each factor adds", ("scorer", *RATINGS), moved),
    ]
    intro = (
        f"Additive models of the ten factors, fitted to scores of {options.split} pictures of "
        + " and ".join(name_of(file) for file in (options.photos, options.crops) if file)
        + ". R2 on pictures left out of the fit; bootstrap 95 % intervals over pictures."
    )
    publish("attribution", "What moves the scores", intro, tables, options.results)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments_for(__doc__)
    add = parser.add_argument
    add("--photos", required=True, type=Path, help="labelled photos")
    add("--crops", type=Path, help="labelled framed faces")
    add("--split", default="val", help="split of the lists; 'all' for every row (default: val)")
    add("--n", type=int, default=400, help="pictures of each, evenly spaced (default: 400)")
    add("--scorers", nargs="+", default=list(zoo.names()), help="(default: those that ship)")
    return parser.parse_args(arguments)


def fitted(
    predictor: OnnxPredictor, pictures: Manifest, faces: str, known: dict[str, Factors]
) -> Attribution:
    """The model of a scorer; `known` has the factors that were measured, by spec."""
    scores = predict_with(predictor, pictures, faces).scores
    framing = framing_of(predictor.spec)
    if framing not in known:
        known[framing] = measure_factors(pictures, predictor.spec, faces)
    places = np.flatnonzero(np.isfinite(scores))
    return fit_attribution([known[framing][place] for place in places], scores[places])


def framing_of(spec: PreprocessSpec) -> str:
    """What of a spec the factors depend on."""
    ratio = spec.width / spec.height
    return f"{ratio:.6f} {spec.face_width} {spec.face_height} {spec.center_x} {spec.center_y}"


def span(model: Attribution, factor: str) -> str:
    """From the least to the most that a factor adds."""
    curve = model.curves.get(factor)
    return f"{max(curve.values) - min(curve.values):.3f}" if curve else "-"


if __name__ == "__main__":
    main()
