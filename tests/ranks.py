"""Functions in several processes on one machine, as torchrun would start them, with gloo."""

from __future__ import annotations

import os
import socket
import sys
import traceback
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

PRELOADED = ["torch", "accelerate", "facegauge.training.begin"]  # once, for all tests
PATIENCE = 120.0  # seconds
ROOT = str(Path(__file__).parents[1])


def in_processes(count: int, function: Callable[..., Any], *arguments: Any) -> list[Any]:
    """What a function of a module returns in each of so many processes, in their order."""
    if ROOT not in sys.path:  # where processes find the test's module: pytest calls it tests.x.y
        sys.path.append(ROOT)
    context = get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ends: list[Connection] = []
    processes = []
    for rank in range(count):
        ours, theirs = context.Pipe()
        process = context.Process(
            target=_run, args=(theirs, (rank, count, port), function, arguments), daemon=True
        )
        process.start()
        theirs.close()
        ends.append(ours)
        processes.append(process)
    found: dict[int, Any] = {}
    try:
        while len(found) < count:
            waiting = [end for rank, end in enumerate(ends) if rank not in found]
            ready = wait(waiting, PATIENCE)
            assert ready, "the processes take too long"
            for end in ready:
                assert isinstance(end, Connection)
                failed, value = end.recv()
                assert not failed, value
                found[ends.index(end)] = value
    finally:
        for process in processes:
            if len(found) < count:
                process.kill()
            process.join()
    return [found[rank] for rank in range(count)]


def _run(
    end: Connection, place: tuple[int, int, int], function: Callable[..., Any], arguments: Any
) -> None:
    rank, count, port = place
    os.environ.update(
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        WORLD_SIZE=str(count),
        MASTER_ADDR="127.0.0.1",
        MASTER_PORT=str(port),
        ACCELERATE_USE_CPU="true",
        OMP_NUM_THREADS="1",
    )
    import torch

    torch.set_num_threads(1)
    if count == 1:
        for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE"):
            del os.environ[name]
    try:
        end.send((False, function(*arguments)))
    except BaseException:
        end.send((True, traceback.format_exc()))
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
