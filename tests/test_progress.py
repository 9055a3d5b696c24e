"""What long steps report, and how it is shown."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from rich.console import Console

from facegauge.cli import progress
from facegauge.cli.progress import Bars, Lines, display_for_stderr, with_progress
from facegauge.data.leakage import check_leakage
from facegauge.data.manifests import load_manifest
from facegauge.evaluation.compare import compare
from facegauge.evaluation.predictions import predict
from facegauge.progress import Step, in_words, shown_by, track
from facegauge.scorer import Scorer


@dataclass
class Spy:
    """A display that notes what it is told."""

    told: list[tuple[object, ...]] = field(default_factory=list)

    def begin(self, what: str, total: int, unit: str, done: int) -> Step:
        self.told.append((what, total, unit, done))
        return _SpyStep(self)

    def steps(self) -> dict[object, tuple[object, ...]]:
        return {one[0]: one[1:] for one in self.told if len(one) == 4}


@dataclass
class _SpyStep:
    spy: Spy

    def advance(self, count: int) -> None:
        self.spy.told.append((count,))

    def end(self) -> None:
        self.spy.told.append(("end",))


def test_items_are_passed_on_and_counted() -> None:
    spy = Spy()
    with shown_by(spy):
        assert list(track("abc", "reading", total=7, done=2, each=2)) == ["a", "b", "c"]
        assert list(track("a", "one item", total=1)) == ["a"]
    assert spy.told == [("reading", 7, "pictures", 2), (2,), (2,), (1,), ("end",)]
    assert list(track("abc", "unseen", total=3)) == ["a", "b", "c"] and len(spy.told) == 5


def test_a_step_that_is_broken_off_ends() -> None:
    spy = Spy()
    with shown_by(spy), pytest.raises(KeyError):
        for _ in track("abc", "reading", total=3):
            raise KeyError
    assert spy.told[-1] == ("end",)


def test_a_line_a_minute() -> None:
    lines: list[str] = []
    now = 0.0
    step = Lines(lines.append, lambda: now).begin("training all", 100, "steps", 10)
    for _ in range(30):
        now += 6.5
        step.advance(1)
    step.end()
    assert lines == [
        "training all: 20 of 100 steps, 0.15 steps/s, 9 min left",
        "training all: 30 of 100 steps, 0.15 steps/s, 8 min left",
        "training all: 40 of 100 steps, 0.15 steps/s, 6 min left",
    ]


def test_short_steps_together_are_not_silent_for_long() -> None:
    lines: list[str] = []
    now = 0.0
    display = Lines(lines.append, lambda: now)
    for name in ("reading", "searching", "shrinking"):
        step = display.begin(name, 4, "pictures", 0)
        for _ in range(4):
            now += 8
            step.advance(1)
        step.end()
    assert [line.split(",")[0] for line in lines] == ["searching: 4 of 4 pictures"]
    now += 60
    step = display.begin("drawing", 4, "pictures", 0)
    now += 4
    step.advance(1)  # a line is due, but this may take no longer
    assert len(lines) == 1
    now += 4
    step.advance(1)
    assert lines[-1].startswith("drawing: 2 of 4 pictures")


def test_bars_on_a_terminal_show_rate_and_steps_within_steps() -> None:
    screen = io.StringIO()
    bars = Bars(Console(file=screen, force_terminal=True, width=120))
    outer = bars.begin("training all", 10, "steps", 4)
    inner = bars.begin("validating", 200, "views", 0)
    bars.drawn = 0
    inner.advance(64)
    inner.end()
    bars.drawn = 0
    outer.advance(1)
    outer.end()
    text = screen.getvalue()
    for part in ("training all", "5/10", "steps/s", "validating", "64/200", "views/s"):
        assert part in text
    assert bars.live is None


def test_only_the_first_process_shows_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(display_for_stderr(), Lines)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert isinstance(display_for_stderr(), Bars)
    monkeypatch.setenv("RANK", "1")
    assert display_for_stderr() is None


@pytest.mark.parametrize(
    ("seconds", "words"), [(40, "40 s"), (89.6, "90 s"), (720, "12 min"), (12600, "3.5 h")]
)
def test_times_for_people(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


def test_the_steps_of_a_recipe(toy_data: Path, toy_run: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from facegauge.training.config import apply_overrides, load_preset
    from facegauge.training.methods.finetune import recipe

    pairs = [f"start={toy_run}", "workers=0", "faces=whole", "fit.steps=2", "fit.warmup=0"]
    config = apply_overrides(load_preset("finetune", "cpu"), pairs)
    data, spy = load_manifest(toy_data), Spy()
    with shown_by(spy):
        recipe.run(config, data, tmp_path / "run")
    assert spy.steps() == {
        "comparing pictures": (90, "pictures", 0),
        "reading pictures": (60, "pictures", 0),
        "computing features": (90, "views", 0),
        "training all": (2, "steps", 0),
    } | {name: one for name, one in spy.steps().items() if name in ("validating", "scoring")}


def test_leaks_are_searched_with_a_display(toy_data: Path) -> None:
    spy = Spy()
    with shown_by(spy):
        check_leakage(load_manifest(toy_data))
    assert spy.steps() == {"comparing pictures": (90, "pictures", 0)}


def test_a_list_is_scored_and_a_folder_compared_with_a_display(
    toy_data: Path, toy_scorer: Path, grey: Callable[..., Path], tmp_path: Path
) -> None:
    grey("pictures/a.png", 51), grey("pictures/b.png", 91)
    spy, folder = Spy(), tmp_path / "pictures"
    with shown_by(spy):
        predict(toy_scorer, load_manifest(toy_data))
        assert spy.steps() == {"scoring": (90, "pictures", 0)}
        compare(folder, folder, reference=folder, scorer=Scorer(toy_scorer, faces="whole"))
    assert spy.steps()["scoring"] == (2, "pictures", 0)
    assert spy.steps()["measuring PSNR and SSIM"] == (2, "pictures", 0)


def test_bars_are_for_terminals_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert list(with_progress([1, 2, 3], [])) == [1, 2, 3]
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    seen = []
    for item in with_progress(range(30), "x" * 30):
        time.sleep(0.005)
        seen.append(item)
    assert seen == list(range(30))
    captured = capsys.readouterr()
    assert "30/30" in captured.err
    assert "pictures/s" in captured.err
    assert captured.out == ""


def test_elsewhere_a_long_scoring_says_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The total is counted while results come, and named from then on."""
    counting: list[Callable[[], None]] = []
    monkeypatch.setattr(progress, "EVERY", 0.0)
    monkeypatch.setattr(progress, "LEAST", 0.0)
    monkeypatch.setattr(progress.Thread, "start", lambda thread: counting.append(thread.run))
    shown = with_progress("abc", "abc", "labelling")
    assert [next(shown), next(shown)] == ["a", "b"]
    counting[0]()
    assert list(shown) == ["c"]
    first, *_, last = capsys.readouterr().err.splitlines()
    assert first.startswith("facegauge: labelling: 1 pictures, ") and "left" not in first
    assert last.startswith("facegauge: labelling: 3 of 3 pictures, ") and last.endswith("0 s left")
