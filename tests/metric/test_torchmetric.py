"""The metric, the function and the loss, as users of torchmetrics know them."""

from __future__ import annotations

import pickle
import warnings
from copy import deepcopy
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
torchmetrics = pytest.importorskip("torchmetrics")

from facegauge import Box, Face, zoo  # noqa: E402
from facegauge.errors import UsageError  # noqa: E402
from facegauge.metric import FaceQuality, FaceQualityLoss, face_quality, functional  # noqa: E402
from facegauge.metric.frozen import FrozenNetwork  # noqa: E402
from toys import trainable  # noqa: E402

NAN = float("nan")


def pictures(count: int, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, 96, 80, generator=generator)


def boxes(*present: bool):
    """Of pictures some of which have a face."""
    return torch.tensor([[20.0, 30, 60, 80] if one else [NAN] * 4 for one in present])


def test_it_is_a_metric_of_torchmetrics(toy_run: Path) -> None:
    metric = FaceQuality(toy_run, faces="whole")
    assert isinstance(metric, torchmetrics.Metric)
    assert metric.higher_is_better and metric.is_differentiable
    assert metric.full_state_update is False
    assert not list(metric.parameters()) and not metric.state_dict()
    first, second = pictures(2), pictures(3, 1)
    metric.update(first)
    metric.update(second)
    each = [face_quality(one, scorer=toy_run, faces="whole", reduction="none") for one in
            (first, second)]  # fmt: skip
    assert metric.compute().item() == pytest.approx(torch.cat(each).mean().item(), abs=1e-6)
    assert metric.total == 5
    metric.reset()
    assert metric(first).item() == pytest.approx(each[0].mean().item(), abs=1e-6)


def test_one_score_a_picture(toy_run: Path) -> None:
    metric = FaceQuality(toy_run, reduction="none")
    assert metric(pictures(2), boxes(True, False))[1].isnan()
    metric.update(pictures(1, 1), boxes(True))
    got = metric.compute()
    assert got.shape == (3,) and got.isnan().tolist() == [False, True, False]
    metric.reset()
    with pytest.warns(UserWarning, match="before the ``update``"):
        assert metric.compute().shape == (0,)


def test_pictures_without_a_face_are_counted_and_not_in_the_mean(toy_run: Path) -> None:
    metric = FaceQuality(toy_run)
    metric.update(pictures(3), boxes(True, False, True))
    with pytest.warns(UserWarning, match="no face was found in 1 of 3 pictures"):
        mean = metric.compute()
    scores = face_quality(pictures(3), boxes(True, False, True), scorer=toy_run, reduction="none")
    assert mean.item() == pytest.approx(scores[[0, 2]].mean().item(), abs=1e-6)
    assert (metric.total, metric.missing) == (2, 1)
    metric.reset()
    metric.update(pictures(1), boxes(False))
    with pytest.warns(UserWarning, match="1 of 1"):
        assert metric.compute().isnan()


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_a_batch_has_a_gradient_and_the_state_has_none(toy_run: Path, reduction: str) -> None:
    metric = FaceQuality(toy_run, faces="whole", reduction=reduction)
    for _ in range(2):
        images = pictures(2).requires_grad_()
        value = metric(images)
        (gradient,) = torch.autograd.grad(value.sum(), images)
        assert gradient.abs().max() > 0
    state = metric.scores if reduction == "none" else [metric.sum_scores]
    assert not any(one.requires_grad for one in state)
    assert metric.compute().numel() == (4 if reduction == "none" else 1)


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_states_of_two_processes_are_summed(toy_run: Path, reduction: str) -> None:
    """As torchmetrics gathers them; the other process has seen other pictures."""
    seen = FaceQuality(toy_run, faces="whole", reduction=reduction)
    other = FaceQuality(toy_run, faces="whole", reduction=reduction)
    both = FaceQuality(toy_run, faces="whole", reduction=reduction)
    for metric, batches in ((seen, (1,)), (other, (2, 3)), (both, (1, 2, 3))):
        for number in batches:
            metric.update(pictures(number, number))
    theirs = [getattr(other, name) for name in ("scores", "sum_scores", "total", "missing")
              if hasattr(other, name)]  # fmt: skip
    queue = iter([torch.cat(one) if isinstance(one, list) else one for one in theirs])
    seen.dist_sync_fn = lambda own, group=None: [own, next(queue)]
    seen.distributed_available_fn = lambda: True
    assert torch.allclose(seen.compute(), both.compute(), atol=1e-6)
    assert seen.compute().numel() == (6 if reduction == "none" else 1)


def two_processes(rank: int, run: str, file: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{file}", rank=rank, world_size=2
    )
    metric = FaceQuality(run, faces="whole")
    metric.update(pictures(2 + rank, rank))
    mean = metric.compute().item()
    expected = FaceQuality(run, faces="whole", sync_on_compute=False)
    expected.update(pictures(2, 0))
    expected.update(pictures(3, 1))
    assert abs(mean - expected.compute().item()) < 1e-6
    assert metric.total == 2 + rank  # its own again
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_have_one_mean(toy_run: Path, tmp_path: Path) -> None:
    context = torch.multiprocessing.get_context("fork")
    file = str(tmp_path / "meet")
    started = [context.Process(target=two_processes, args=(rank, str(toy_run), file))
               for rank in range(2)]  # fmt: skip
    for process in started:
        process.start()
    for process in started:
        process.join(120)
    assert [process.exitcode for process in started] == [0, 0]


def test_copies_score_alike(toy_run: Path) -> None:
    metric = FaceQuality(toy_run, faces="whole")
    metric.update(pictures(2))
    copy = metric.clone()
    assert torch.equal(copy.compute(), metric.compute())
    copy.update(pictures(1, 1))
    assert copy.total == 3 and metric.total == 2


def test_it_goes_with_other_metrics(toy_run: Path) -> None:
    metrics = torchmetrics.MetricCollection(
        {"psnr": torchmetrics.image.PeakSignalNoiseRatio(1.0),
         "quality": FaceQuality(toy_run, faces="whole")}
    )  # fmt: skip
    values = metrics(images=pictures(2), preds=pictures(2), target=pictures(2, 1))
    assert set(values) == {"psnr", "quality"} and 0 <= values["quality"] <= 1
    tracker = torchmetrics.MetricTracker(FaceQuality(toy_run, faces="whole"))
    for seed in range(2):
        tracker.increment()
        tracker.update(pictures(1, seed))
    assert tracker.best_metric() == pytest.approx(tracker.compute_all().max().item())


def test_double_precision_is_asked_for_by_set_dtype(toy_run: Path) -> None:
    metric = FaceQuality(toy_run, faces="whole").set_dtype(torch.float64)
    assert metric(pictures(1).double()).dtype is torch.float64
    half = FaceQuality(toy_run, faces="whole").set_dtype(torch.float16)
    assert half.model.network.like.dtype is torch.float32


def test_the_loss_is_one_minus_the_score(toy_run: Path) -> None:
    loss = FaceQualityLoss(toy_run, faces="whole")
    assert not list(loss.parameters()) and not loss.state_dict()
    images = pictures(3).requires_grad_()
    scores = face_quality(images, scorer=toy_run, faces="whole", reduction="none")
    assert loss(images).item() == pytest.approx(1 - scores.mean().item(), abs=1e-6)
    each = FaceQualityLoss(toy_run, faces="whole", reduction="none")(images)
    assert torch.allclose(each, 1 - scores)
    moved = images.detach().clone().requires_grad_()
    for _ in range(4):  # it can be minimised
        (gradient,) = torch.autograd.grad(loss(moved), moved)
        moved = (moved - 0.05 * gradient.sign()).detach().requires_grad_()
    assert loss(moved) < loss(images) - 1e-3


def test_pictures_without_a_face_are_not_in_the_loss(toy_run: Path) -> None:
    loss, images = FaceQualityLoss(toy_run), pictures(2).requires_grad_()
    loss(images, boxes(True, False)).backward()
    assert images.grad[0].abs().max() > 0 and not images.grad[1].any()
    images.grad = None
    nothing = loss(images, boxes(False, False))
    nothing.backward()
    assert nothing.item() == 0 and not images.grad.any()
    alone = FaceQualityLoss(toy_run, reduction="none")(images, boxes(False, True))
    assert alone[0] == 0 and alone[1] > 0


def test_the_function_keeps_shipped_scorers_open_and_reads_folders_anew(toy_run: Path) -> None:
    functional._shipped.cache_clear()
    for _ in range(2):
        face_quality(pictures(1), scorer=zoo.DEFAULT, faces="whole")
        face_quality(pictures(1), scorer=toy_run, faces="whole")
    assert functional._shipped.cache_info().misses == functional._shipped.cache_info().hits == 1
    double = face_quality(pictures(1).double(), scorer=toy_run, faces="whole")
    assert double.dtype is torch.float64
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert face_quality(pictures(2), boxes(False, False), scorer=toy_run).isnan()


def test_wrong_reductions_are_refused(toy_run: Path) -> None:
    for build in (FaceQuality, FaceQualityLoss):
        with pytest.raises(UsageError, match="mean or none, got 'sum'"):
            build(toy_run, reduction="sum")
    with pytest.raises(UsageError, match="mean or none"):
        face_quality(pictures(1), reduction="sum")


def test_a_detector_of_ones_own(toy_run: Path) -> None:
    face = Face(Box(20, 30, 60, 80), 0.9)
    metric = FaceQuality(toy_run, detector=lambda pixels: [face])
    metric.update(pictures(2))
    given = face_quality(pictures(2), boxes(True, True), scorer=toy_run)
    assert metric.compute().item() == pytest.approx(given.item(), abs=1e-6)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] * (name != "ensemble")) for name in trainable()],
)
def test_every_scorer_can_be_pickled_and_copied(name: str) -> None:
    """As processes that load data and collections of metrics do; ensemble's networks are traced."""
    images = pictures(1)
    metric = FaceQuality(name, faces="whole")
    expected = metric(images)
    again = pickle.loads(pickle.dumps(metric))
    assert again.total == 1 and torch.equal(again.compute(), expected)
    for other in (again, deepcopy(metric)):
        other.reset()
        assert torch.equal(other(images), expected)
        assert other.model.network.like.dtype is torch.float32


def test_a_pickled_metric_keeps_its_type_and_a_network_of_its_own(toy_run: Path) -> None:
    network = FrozenNetwork.open(toy_run).double()
    assert pickle.loads(pickle.dumps(network)).like.dtype is torch.float64
    own = FrozenNetwork(torch.nn.Sequential(torch.nn.Linear(2, 1)), network.spec)
    again = pickle.loads(pickle.dumps(own))
    assert torch.equal(again._held[0][0].weight, own._held[0][0].weight)
