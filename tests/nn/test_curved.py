"""A network behind a curve: values, maps, what a run folder and a scorer folder hold of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from facegauge.data.manifests import load_manifest  # noqa: E402
from facegauge.evaluation.logistic import FittedCurve  # noqa: E402
from facegauge.evaluation.predictions import predict  # noqa: E402
from facegauge.nn.checkpoints import load_run, save_run  # noqa: E402
from facegauge.nn.curved import Curved  # noqa: E402
from facegauge.scorer import Scorer  # noqa: E402
from facegauge.training.export import export_run  # noqa: E402

LOGISTIC = (0.9, 0.1, 0.5, 0.2)


@pytest.mark.parametrize("curve", [LOGISTIC, (-0.5, 0.75)])
def test_values_and_slopes_are_those_of_the_curve(curve: tuple[float, ...]) -> None:
    network = Curved(torch.nn.Identity(), curve)
    x = np.linspace(-1, 2, 31)
    logistic, line = (curve, (1.0, 0.0)) if len(curve) == 4 else (None, curve)
    fitted = FittedCurve(logistic, line)  # type: ignore[arg-type]
    values, slopes = (y.detach().numpy() for y in network.bend(torch.from_numpy(x).float()))
    assert values == pytest.approx(fitted(x), abs=1e-5)
    assert slopes == pytest.approx((fitted(x + 1e-4) - fitted(x - 1e-4)) / 2e-4, abs=1e-3)


@pytest.mark.slow
def test_run_and_scorer_folders_hold_it(toy_run: Path, toy_data: Path, tmp_path: Path) -> None:
    run = load_run(toy_run)
    curved = Curved(run.network, LOGISTIC).eval()
    save_run(
        tmp_path / "run",
        system="toy",
        network=curved,
        config=curved.config,
        spec=run.spec,
        settings={},
    )
    data = load_manifest(toy_data)
    export_run(load_run(tmp_path / "run"), tmp_path / "scorer", name="toy", data=data)
    plain, bent, shipped = (
        predict(folder, data).scores for folder in (toy_run, tmp_path / "run", tmp_path / "scorer")
    )
    assert bent == pytest.approx(FittedCurve(LOGISTIC)(plain), abs=1e-5)
    assert shipped == pytest.approx(bent, abs=1e-3)
    again = load_run(tmp_path / "scorer")
    assert again.network.curve.detach().numpy() == pytest.approx(LOGISTIC, abs=1e-6)
    scorer = Scorer(tmp_path / "scorer", faces="whole")
    heat = scorer.heat_map(data.paths[0])
    assert heat.values.mean() == pytest.approx(scorer.score(data.paths[0]).score, abs=1e-4)
