"""How much memory this process may still take, and a limit to that."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

LEAST = 500_000_000
"""Bytes that a process may take in any case; with less nothing can be scored."""

SHARE = 0.9
"""Of the free memory; the rest is for the other processes."""

OWN_GROUPS = Path("/proc/self/cgroup")
CGROUPS = Path("/sys/fs/cgroup")
FILES = {  # of a control group: its limit and what it uses; of version 2, and of version 1
    "": ("memory.max", "memory.current"),
    "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes"),
}


def limit_memory() -> None:
    """Let this process fail to get memory before the system runs out of it. Linux only.

    The limit counts what can be written, not what is merely reserved or mapped from files, as
    onnxruntime and torch do by the gigabyte. If the system runs out all the same, because other
    processes take memory too, this process is the first to be killed.
    """
    if sys.platform != "linux":
        return
    import resource

    Path("/proc/self/oom_score_adj").write_text("1000")
    taken = _kilobytes("/proc/self/status", "VmData")
    allowed = max(LEAST, int(free_memory() * SHARE))
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = taken + allowed
    if hard == resource.RLIM_INFINITY or limit < hard:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def free_memory() -> int:
    """Bytes that can be taken without swapping, in the limits of the control groups. Linux only."""
    return min(_kilobytes("/proc/meminfo", "MemAvailable"), *_free_in_groups(), sys.maxsize)


def _free_in_groups() -> Iterator[int]:
    """What the limits of this process's control groups, if any, leave free."""
    for line in OWN_GROUPS.read_text().splitlines():
        _, kind, path = line.split(":", 2)
        if kind not in FILES:
            continue
        group = CGROUPS / kind / path.lstrip("/")
        for folder in (group, *group.parents):
            try:
                most, used = (int((folder / name).read_text()) for name in FILES[kind])
                cache = _field(folder / "memory.stat", "inactive_file")
            except (OSError, ValueError):  # no limit, or another system's folder
                continue
            yield max(0, most - used + cache)


def _kilobytes(file: str, field: str) -> int:
    return 1024 * _field(Path(file), f"{field}:")


def _field(file: Path, field: str) -> int:
    """A number of a file of lines, each a name and a number."""
    for line in file.read_text().splitlines():
        if (words := line.split())[0] == field:
            return int(words[1])
    raise ValueError(f"{file} has no {field}")
