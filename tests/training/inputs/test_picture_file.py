"""Pictures on disk: what is written is read, by any process, and the file goes when it may."""

from __future__ import annotations

import gc
import pickle
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from facegauge.data.manifests import load_manifest  # noqa: E402
from facegauge.errors import FacegaugeError  # noqa: E402
from facegauge.faces.spec import PreprocessSpec  # noqa: E402
from facegauge.training.begin import PIXELS, begin_run  # noqa: E402
from facegauge.training.config import apply_overrides, load_preset  # noqa: E402
from facegauge.training.devices import this_process  # noqa: E402
from facegauge.training.inputs import pictures as reading  # noqa: E402
from facegauge.training.inputs.picture_file import PictureFile  # noqa: E402
from facegauge.training.inputs.views import Framed, ViewBatches, ViewMaker, loader  # noqa: E402
from facegauge.training.view_settings import BatchPlan, ViewsConfig  # noqa: E402
from ranks import in_processes  # noqa: E402

SPEC = PreprocessSpec(width=24, height=32)


def test_pictures_are_read_as_they_were_and_the_file_goes_with_the_last(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    written = [rng.integers(0, 256, (5 + n, 4, 3), np.uint8) for n in range(3)]
    file = PictureFile(tmp_path / "pictures", fresh=True)
    stored = [file.add(pixels) for pixels in written]
    stored.append(file.add(written[0][::-1]))
    copies = pickle.loads(pickle.dumps(stored))
    for one, other, pixels in zip(stored, copies, [*written, written[0][::-1]], strict=True):
        assert np.array_equal(one.read(), pixels) and np.array_equal(other.read(), pixels)
    assert one.read().flags.writeable and file.size == (tmp_path / "pictures").stat().st_size
    del copies, other
    gc.collect()
    assert file.path.exists()  # copies in other processes do not remove it
    del file, stored, one
    gc.collect()
    assert not (tmp_path / "pictures").exists()


def test_a_file_that_was_cut_short_is_one_line(tmp_path: Path) -> None:
    file = PictureFile(tmp_path / "pictures", fresh=True)
    stored = file.add(np.zeros((5, 4, 3), np.uint8))
    file.path.write_bytes(b"")
    with pytest.raises(FacegaugeError, match="pictures was removed or changed"):
        stored.read()


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_those_of_pictures_in_memory(
    toy_data: Path, tmp_path: Path, workers: int
) -> None:
    train = load_manifest(toy_data).where(split="train").take(range(6))
    file = PictureFile(tmp_path / "pictures", fresh=True)
    plan = BatchPlan(labelled=3, distilled=3, groups=1, copies=3)

    def batches(pictures: list[Framed]) -> list[dict[str, torch.Tensor]]:
        views = ViewBatches(ViewMaker(pictures, SPEC, ViewsConfig()), plan, steps=3, seed=1)
        return list(loader(views, range(3), workers))

    in_memory = batches(reading.load_framed(train, SPEC, "whole"))
    on_disk = batches(reading.load_framed(train, SPEC, "whole", into=file))
    for one, other in zip(in_memory, on_disk, strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)


def began(data: Path, out: Path) -> tuple[int, float, bool]:
    """How many lists this process read, a sum over all pixels, and whether any are in memory."""
    calls = 0
    load = reading.load_framed

    def counted(*arguments, **named):
        nonlocal calls
        calls += 1
        return load(*arguments, **named)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("facegauge.training.context.load_framed", counted)
        settings = ["input.width=32", "input.height=40", "workers=0"]
        config = apply_overrides(load_preset("light_ensemble", "cpu"), settings)
        context = begin_run(config, load_manifest(data), [], out, spec=config.input.spec)
    pictures = [*context.maker.pictures, *context.val_pictures]
    total = float(sum(one.pixels.sum(dtype=np.int64) for one in pictures))
    this_process().wait_for_everyone()  # as a run does: the file goes with its maker
    return calls, total, any(isinstance(one.source, np.ndarray) for one in pictures)


@pytest.mark.slow
def test_one_process_reads_the_pictures_for_all(toy_data: Path, tmp_path: Path) -> None:
    calls, total, in_memory = began(toy_data, tmp_path / "alone")
    assert calls == 2 and not in_memory
    assert not (tmp_path / "alone" / PIXELS).exists()
    main, other = in_processes(2, began, toy_data, tmp_path / "run")
    assert main == (2, total, False) and other == (0, total, False)
