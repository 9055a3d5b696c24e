"""The budget of memory for pictures in flight."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
from PIL import Image

from facegauge.faces.extraction import FaceExtractor
from facegauge.faces.located import Located
from facegauge.faces.policy import ExtractionPolicy
from facegauge.faces.spec import PreprocessSpec
from facegauge.images import memory
from facegauge.images.memory import MemoryBudget


def test_no_more_is_lent_than_there_is_and_all_come_to_an_end() -> None:
    budget, lock = MemoryBudget(100), threading.Lock()
    held: dict[int, int] = {}
    rng = random.Random(0)
    sizes = [rng.choice([5, 30, 60, 100, 250]) for _ in range(200)]

    def use(number: int) -> None:
        with budget.lease() as lease:
            for size in (sizes[number] // 2, sizes[number]):  # asks again, as a TIFF's page does
                lease.resize(size)
            with lock:
                held[number] = sizes[number]
                assert sum(held.values()) <= 100 or len(held) == 1
            time.sleep(0.0005)
            with lock:
                del held[number]

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(use, number) for number in range(200)]:
            done.result(timeout=30)
    assert budget._used == 0


def test_a_failure_gives_its_share_back() -> None:
    budget = MemoryBudget(100)
    with pytest.raises(ValueError, match="boom"), budget.lease() as lease:
        lease.resize(80)
        raise ValueError("boom")
    with budget.lease() as lease:
        lease.resize(100)


def test_a_share_that_shrinks_is_never_out_of_its_holders_hands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    budget = MemoryBudget(100)
    least = []
    give_back = budget._give_back
    monkeypatch.setattr(
        budget, "_give_back", lambda size: (give_back(size), least.append(budget._used))
    )
    with budget.lease() as lease:
        for size in (100, 60, 60, 20):
            lease.resize(size)
    assert least == [60, 60, 20, 0]


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="needs /proc")
@pytest.mark.parametrize("when", ["first", "meanwhile"])
def test_where_memory_is_tight_the_detector_keeps_none(when: str) -> None:
    command = [sys.executable, "-c", dedent(KEPT)]
    kept = [
        int(subprocess.run([*command, str(held), when], capture_output=True, check=True).stdout)
        for held in (memory.TIGHT, memory.TIGHT + 1)
    ]
    assert kept[0] - kept[1] > 50_000_000


KEPT = """
    import re, sys
    from pathlib import Path
    import numpy as np
    from facegauge.faces.detection import CenterFace
    from facegauge.images.memory import shared_budget

    def in_memory():
        status = Path("/proc/self/status").read_text()
        return int(re.search(r"VmRSS:\\s+(\\d+) kB", status)[1]) * 1024

    detect = CenterFace()
    detect(np.zeros((64, 64, 3), np.uint8))
    before = in_memory()
    if sys.argv[2] == "first":
        detect(np.zeros((2000, 2000, 3), np.uint8))
    with shared_budget().lease() as lease:
        lease.resize(int(sys.argv[1]))
        if sys.argv[2] == "meanwhile":
            detect(np.zeros((2000, 2000, 3), np.uint8))
    print(in_memory() - before)
"""


def test_large_pictures_are_held_one_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_budget", MemoryBudget(40_000))
    paths = []
    for number in range(12):
        name = f"{number}.{('png', 'jpg', 'webp', 'tif')[number % 4]}"
        Image.fromarray(np.full((100, 100, 3), 90, np.uint8)).save(tmp_path / name)
        paths.append(str(tmp_path / name))
    inside, most, lock = 0, 0, threading.Lock()

    def cut(located: Located) -> str:
        nonlocal inside, most
        assert located.pixels is not None, located.message
        with lock:
            inside += 1
            most = max(most, inside)
        time.sleep(0.01)
        with lock:
            inside -= 1
        return located.name

    extractor = FaceExtractor(PreprocessSpec(), ExtractionPolicy("whole"))
    assert list(extractor.map(paths, cut, threads=4)) == paths
    assert most == 1
    monkeypatch.setattr(memory, "_budget", MemoryBudget())
    assert list(extractor.map(paths, cut, threads=4)) == paths
    assert most > 1


def test_what_gives_memory_back_is_not_kept_alive() -> None:
    class Keeper:
        pass

    called: list[Keeper] = []
    keeper = Keeper()
    gone = weakref.ref(keeper)
    memory.when_tight(keeper, called.append)
    memory.give_back_kept()
    assert called == [keeper]
    called.clear()
    del keeper
    assert gone() is None
    memory.give_back_kept()
    assert not called
