"""CPU time of one picture beside other programs and the network alone, in turns on one thread."""

from __future__ import annotations

import json
import statistics
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from page import Table
from stages import Clock, spread

STUDENT = "efficient"
FLOOR = "network of the scorer alone"
PEER = "pyiqa: "
FACE, PORTRAIT = "a framed face", "a portrait"

Passes = dict[str, Callable[[], float]]
"""CPU ms that one pass takes, by what is passed."""


def measure(
    face: Path, portrait: Path, name: str, python: str | None, rounds: int
) -> tuple[dict[str, list[float]], str]:
    """CPU ms of each pass in every round, and pyiqa's version; run in a fresh process.

    Args:
        face: a framed face of 178 x 218.
        portrait: with one face.
        name: of the scorer.
        python: with pyiqa, or None.
        rounds: after one that does not count.
    """
    version = ""
    with ExitStack() as stack:
        passes = _own(face, portrait, name) | _student()
        if python is not None:
            theirs, version = stack.enter_context(_pyiqa(python, {FACE: face, PORTRAIT: portrait}))
            passes |= theirs
        found: dict[str, list[float]] = {what: [] for what in passes}
        for number in range(rounds + 1):
            for what, once in passes.items():
                value = once()
                if number:
                    found[what].append(value)
    return found, version


def _own(face: Path, portrait: Path, name: str) -> Passes:
    from facegauge import Scorer

    def scoring(mode: str, path: Path) -> Callable[[], float]:
        scorer = Scorer(name, faces=mode, threads=1)
        return lambda: _timed(lambda: scorer.score(path), 10)

    return {
        f"facegauge, whole, {FACE}": scoring("whole", face),
        f"facegauge, auto, {FACE}": scoring("auto", face),
        f"facegauge, auto, {PORTRAIT}": scoring("auto", portrait),
        FLOOR: _network(name),
    }


def _network(name: str) -> Callable[[], float]:
    """Passes of a scorer's network on onnxruntime."""
    from facegauge.predictors import OnnxPredictor

    predictor = OnnxPredictor(name, threads=1)
    image = _image(predictor.spec)
    return lambda: _timed(lambda: predictor.predict(image), 10)


def _student() -> Passes:
    """Efficient-FIQA's student on both runtimes."""
    passes = {f"Efficient-FIQA's student (`{STUDENT}`), onnxruntime": _network(STUDENT)}
    try:
        import torch

        from facegauge.metric.frozen import FrozenNetwork
    except ImportError:
        return passes
    torch.set_num_threads(1)
    network = FrozenNetwork.open(STUDENT)
    image = torch.from_numpy(_image(network.spec))

    def once() -> float:
        with torch.inference_mode():
            return _timed(lambda: network(image, None), 5)

    return passes | {"the same, torch": once}


def _image(spec: Any) -> np.ndarray:
    shape = (1, 3, spec.height, spec.width)
    return np.random.default_rng(0).standard_normal(shape, np.float32)


def _timed(once: Callable[[], object], count: int) -> float:
    clock = Clock()
    for _ in range(count):
        once()
    return clock.lap() / count


@contextmanager
def _pyiqa(python: str, pictures: Mapping[str, Path]) -> Iterator[tuple[Passes, str]]:
    """Passes of pyiqa's networks in a process of their own, one for each line that it is sent.

    And the versions of pyiqa and torch.
    """
    script = Path(__file__).with_name("pyiqa_latency.py")
    pipe = subprocess.PIPE
    with subprocess.Popen([python, str(script)], stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin and process.stdout
        asked, said = process.stdin, process.stdout

        def ask(line: object) -> Any:
            print(line, file=asked, flush=True)
            answer = said.readline()
            if not answer:
                raise SystemExit(f"{python} cannot time pyiqa")
            return json.loads(answer)

        version = " on ".join(f"{name} {number}" for name, number in ask("versions").items())
        detector = {
            f"{PEER}detector, {what}": partial(ask, path.resolve())
            for what, path in pictures.items()
        }
        yield {f"{PEER}network": partial(ask, "network"), **detector}, version
        asked.close()


def table(found: dict[str, list[float]], version: str = "") -> Table:
    """Times, and how many times pyiqa's and the floor's they are."""
    middle = {what: statistics.median(values) for what, values in found.items()}
    rows = []
    for what, values in found.items():
        shown = next((one for one in (FACE, PORTRAIT) if what.endswith(one)), "")
        both = (f"{PEER}network", f"{PEER}detector, {shown}")
        compared = shown and not what.startswith(PEER) and both[0] in middle
        pyiqa = f"{sum(middle[one] for one in both) / middle[what]:.0f}" if compared else "-"
        rows.append((what, spread(values), pyiqa, f"{middle[what] / middle[FLOOR]:.1f}"))
    note = (
        "One picture a pass, one thread, CPU ms: median (minimum to maximum) of the rounds, in "
        "which the programs take turns. facegauge's includes opening the file. pyiqa's is that of "
        "the networks of `topiq_nr-face` with random weights: CFANet on ResNet-50 at 512 x 512, "
        "and the RetinaFace detector at the picture's own size. Opening, merging and alignment "
        "are left out. 'Times faster' compares with its network and its detector together."
    ) + (f" Version: {version}." if version else "")
    columns = ("", "CPU ms", "times faster than pyiqa", "times the floor")
    return Table("Peers and the network's floor", columns, rows, note)


def portrait_of(portraits: Path | None, example: Path) -> Path:
    """One portrait: the first of a folder, or the example picture."""
    from facegauge.images.discovery import find_pictures

    return Path(next(find_pictures([portraits or example])))
