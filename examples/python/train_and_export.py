"""Fine-tune the light ensemble from Python with typed settings, export it, and score with it.

    python examples/python/train_and_export.py --output toy

A toy: the labelled pictures are degraded copies of one portrait; the stronger the degradation, the
lower the label. For a scorer that is worth having, load rated pictures of many people with
`load_manifest` and the settings of a preset with `facegauge.training.config.load_preset`.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import numpy as np
from PIL import Image

from facegauge import Scorer
from facegauge.data.degradations import degrade
from facegauge.data.manifests import Manifest, load_manifest
from facegauge.faces.detection import CenterFace
from facegauge.faces.framing import frame_around
from facegauge.faces.sampling import sample
from facegauge.faces.spec import PreprocessSpec
from facegauge.images import open_picture
from facegauge.nn.checkpoints import load_run
from facegauge.training.export import export_run
from facegauge.training.geometry import InputConfig
from facegauge.training.methods.light_ensemble import config as settings
from facegauge.training.methods.light_ensemble import recipe
from facegauge.training.settings import BatchPlan, FitConfig

PICTURES = Path(__file__).resolve().parent.parent
KINDS = ("gaussian_blur", "jpeg", "noise", "downscale", "dark")
MEMBERS = ("mobilenet_v3_small", "shufflenet_v2_x1_0")
INPUT = InputConfig(width=178, height=218)  # what the shipped ensemble takes


def toy_set(folder: Path, spec: PreprocessSpec) -> Manifest:
    """Degraded copies of a portrait that is framed as scorers see it, with labels and splits."""
    folder.mkdir(parents=True)
    pixels, rng = open_picture(PICTURES / "astronaut.jpg"), np.random.default_rng(0)
    portrait = sample(pixels, frame_around(CenterFace()(pixels)[0], spec), spec)
    rows = ["image,score,split"]
    for number, severity in enumerate(rng.uniform(0, 5, 48)):
        copy = degrade(portrait, KINDS[number % len(KINDS)], severity, rng)
        Image.fromarray(copy).save(folder / f"{number}.png")
        rows.append(f"{number}.png,{0.8 - 0.12 * severity:.3f},{'val' if number < 16 else 'train'}")
    (folder / "labels.csv").write_text("\n".join(rows))
    return load_manifest(folder / "labels.csv")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--output", type=Path, default=Path("toy"), help="a new folder")
    parser.add_argument("--steps", type=int, default=12, help="training steps of each network")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")  # shows what the library reports

    data = toy_set(given.output / "data", INPUT.spec)
    fit = FitConfig(steps=given.steps, lr=3e-4, warmup=2, ema_decay=0.8, validate_every=given.steps)
    config = settings.LightEnsembleConfig(  # wrong names, types and ranges are refused here
        input=INPUT,
        student=settings.StudentConfig(
            loss="mse_corr", corr_weight=1.5, init_from="ensemble", plan=BatchPlan(labelled=8)
        ),
        members={name: settings.MemberConfig(fit=fit) for name in MEMBERS},
    )
    # one person in both splits is a leak, which is refused unless one asks for it
    recipe.run(config, data, [], given.output / "run", allow_leakage=True)

    scorer = given.output / "scorer"
    export_run(load_run(given.output / "run"), scorer, name="toy", data=data, label_name="toy")
    for result in Scorer(scorer).score_iter(sorted(PICTURES.glob("*.jpg"))):
        print(f"{result.score:.3f}  {Path(result.path).name}")


if __name__ == "__main__":
    main()
