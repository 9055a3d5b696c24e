"""benchmarks/gpu: its views beside the library's, and all of it with generated pictures."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import features

torch = pytest.importorskip("torch")

from facegauge.data.degradations import degrade  # noqa: E402
from facegauge.data.manifests import Manifest  # noqa: E402
from facegauge.errors import UsageError  # noqa: E402
from facegauge.faces.sampling import sample  # noqa: E402
from facegauge.faces.spec import PreprocessSpec  # noqa: E402
from facegauge.nn.checkpoints import load_run  # noqa: E402
from facegauge.results import Box  # noqa: E402
from facegauge.training.config import apply_overrides, load_preset  # noqa: E402
from facegauge.training.inputs.pictures import load_framed  # noqa: E402
from facegauge.training.inputs.views import Framed  # noqa: E402
from facegauge.training.view_settings import ViewsConfig  # noqa: E402
from toys import picture, write_manifest  # noqa: E402

FOLDER = Path(__file__).parent.parent / "benchmarks" / "gpu"
FRAMES = [(-3.0, 4.0, 50.0, 69.25), (0.0, 0.0, 44.0, 56.0), (10.5, 20.0, 150.0, 190.0)]
CPU = torch.device("cpu")


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Imports a module of benchmarks/gpu, which is no package."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def test_views_are_sampled_as_those_that_are_scored(script: Callable[[str], ModuleType]) -> None:
    rng, spec = np.random.default_rng(0), PreprocessSpec(width=30, height=37, antialias=False)
    spec = replace(spec, interpolation="bilinear")
    shapes = [(60, 45), (56, 44), (200, 160)]
    pictures = [rng.integers(0, 256, (*shape, 3), np.uint8) for shape in shapes]
    store = script("views").Store.of(pictures, torch.tensor(FRAMES), CPU)
    rows = torch.tensor([2, 0, 1])
    found = store.sample(rows, store.frames[rows], spec.height, spec.width)
    for view, row in zip(found, rows.tolist(), strict=True):
        expected = sample(pictures[row], Box(*FRAMES[row]), spec).astype(float)
        apart = np.abs(view.permute(1, 2, 0).numpy() - expected)
        assert apart.max() <= 1 and apart.mean() < 0.01


@pytest.mark.parametrize(
    ("kind", "apart"),
    [
        ("gaussian_blur", 1.0),
        ("downscale", 1.0),
        ("jpeg", 3.0),
        ("dark", 0.6),
        ("bright", 0.6),
        ("low_contrast", 0.6),
    ],
)
def test_degradations_are_those_of_the_library(
    script: Callable[[str], ModuleType], kind: str, apart: float
) -> None:
    """Up to rounding and to what Pillow and libjpeg do with borders and colours."""
    pixels, rng = np.asarray(picture(1, (80, 96))), np.random.default_rng(0)
    pixels = np.clip(pixels + rng.normal(0, 12, pixels.shape[:2])[..., None], 0, 255)
    pixels = pixels.astype(np.uint8)
    view = torch.from_numpy(pixels).permute(2, 0, 1).float()
    for severity in (1.0, 3.5):
        found = script("views").degraded(view, kind, severity, 1.0, seeded())
        expected = degrade(pixels, kind, severity, rng).astype(float)
        moved = np.abs(expected - pixels).mean()
        difference = np.abs(found.permute(1, 2, 0).numpy() - expected).mean()
        assert difference < min(apart, 0.5 * moved), (severity, difference, moved)


def test_noise_jitter_and_tint(script: Callable[[str], ModuleType]) -> None:
    views, grey = script("views"), torch.full((3, 64, 64), 120.0)
    noisy = views.degraded(grey, "noise", 2.0, 1.0, seeded())
    assert noisy.std().item() == pytest.approx(10, rel=0.1)
    frames = torch.tensor([[10.0, 20.0, 110.0, 140.0]]).repeat(400, 1)
    moved = views.jittered(frames, ViewsConfig(shift=0.05, zoom=0.06), seeded())
    width = moved[:, 2] - moved[:, 0]
    assert width.min() >= 94 and width.max() <= 106 and 0.5 < (width == 100).float().mean() < 0.7
    assert (moved[:, 0] - 10).abs().max() <= 5 + 3
    colours = torch.rand(200, 3, 4, 4, generator=seeded()) * 255
    tinted = views.tinted(colours, 0.5, seeded())
    same = (tinted == colours.round()).flatten(1).all(1).float().mean()
    assert 0.4 < same < 0.6
    assert torch.equal(views.mirrored(colours, seeded())[0].flip(2), colours[0]) or torch.equal(
        views.mirrored(colours, seeded())[0], colours[0]
    )


@pytest.mark.slow
@pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")
def test_from_lists_to_students(
    script: Callable[[str], ModuleType],
    toy_data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Generated photos have no face: their frames are given here, all else is as for real ones."""
    pack, train = script("pack"), script("train")
    rows: list[dict[str, object]] = []
    for number in range(24):
        name, level = f"photo{number}.png", 0.2 + 0.6 * number / 23
        picture(500 + number, (80 + number, 100 + number), level).save(tmp_path / name)
        rows.append({"image": name, "score": level, "split": "val" if number % 3 else "train"})
    photos = write_manifest(tmp_path / "photos.csv", rows)
    for number in range(6):
        picture(900 + number).save(tmp_path / f"more{number}.png")
    more = write_manifest(
        tmp_path / "more.csv", [{"image": f"more{number}.png"} for number in range(6)]
    )

    def framed(data: Manifest, spec: PreprocessSpec, faces: str) -> list[Framed]:
        found = load_framed(data, spec, "whole")
        if faces == "whole":
            return found
        inner = [Box(8, 10, one.pixels.shape[1] - 8, one.pixels.shape[0] - 10) for one in found]
        return [replace(one, frame=box) for one, box in zip(found, inner, strict=True)]

    monkeypatch.setattr(pack, "load_framed", framed)
    out = tmp_path / "pack"
    words = [
        *("--crops", toy_data, "--photos", photos, "--unlabelled", more, "-o", out),
        *("--scorers", "efficient"),
    ]
    with pytest.raises(UsageError, match="give a larger --size"):
        pack.main([*map(str, words), "--size", "0.01"])
    pack.main([*map(str, words), "--size", "1"])
    assert (out / pack.FILE).stat().st_size < 1e6

    runs = tmp_path / "runs"
    words = [out, "-o", runs, "--tiny", "--teachers", "efficient", "--students", "efficient"]
    train.main(list(map(str, words)))
    results = json.loads((runs / "results.json").read_text())
    assert set(results) == {"teacher efficient", "student efficient"}
    assert all(np.isfinite(one["val_score"]) for one in results.values())
    run = load_run(runs / "efficient")  # a state that was the best on val
    assert (run.spec.width, run.config["kind"]) == (48, "sized_regressor")
    assert run.settings["data"][0]["pictures"] == 8 and "--tiny" in run.settings["command"]
    before = load_run(out / "efficient").network.state_dict()
    after = run.network.state_dict()
    assert any(not torch.equal(before[name], after[name]) for name in before if "weight" in name)

    # out of time from the beginning: the best so far is kept, the start included
    config = apply_overrides(load_preset("photos", "cpu"), [*train.SETTINGS, *train.TINY])
    learned, held = train.read_pack(out, train.FEW)
    judge = train.Judge(learned["photos"], held, config, {})
    judge.begin(None, 0.0)
    network = train.first_weights(out, "efficient", learned, config)
    lesson = train.Lesson(train.Material(learned, config), [load_run(out / "efficient").network],
                          config, 1.0)  # fmt: skip
    found = train.taught(network, lesson, judge, tmp_path / "work", config)
    best = dict(judge.best)
    judge.begin(None, np.inf)
    assert judge(found) == pytest.approx(best, abs=1e-6)
