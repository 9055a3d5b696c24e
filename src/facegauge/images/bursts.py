"""Bursts: pictures of one scene in quick succession, by their names and times."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

GAP = 2.0  # seconds between two neighbours of a burst, at most

EXIF_IFD, TAKEN, SUBSECONDS = 0x8769, 0x9003, 0x9291
BURST_NUMBER = re.compile(r"BURST[-_]?(\d{8,})", re.IGNORECASE)  # as phones name them
TIME_IN_NAME = re.compile(
    r"(?<!\d)((?:19|20)\d\d)[-_.]?(\d\d)[-_.]?(\d\d)[-_. T]{0,3}(\d\d)[-_.:]?(\d\d)[-_.:]?(\d\d)"
    r"(\d{3})?(?!\d)"
)


def taken_at(path: str | Path) -> float | None:
    """When a picture was taken, in seconds; comparable with other pictures of one camera.

    Args:
        path: the time is that of its EXIF block, or that in its name, as phones write it.

    Returns:
        None where neither is known. Times of files are not taken: copies have any.
    """
    written = _time_in_exif(path)
    if written is not None:
        return written
    found = TIME_IN_NAME.search(Path(path).stem)
    return _seconds(found.groups()[:6], found[7]) if found else None


def find_bursts(paths: Iterable[str], gap: float = GAP) -> dict[str, int]:
    """Which burst each picture belongs to.

    Pictures of one folder are a burst if their names begin with the same letters and each was taken
    at most `gap` seconds after another, or if phones gave them the same number of a burst.

    Args:
        paths: pictures; unreadable ones are bursts of their own.
        gap: in seconds.

    Returns:
        A number for each path; pictures of one burst have the same.
    """
    series: dict[tuple[str, str], list[tuple[float, str]]] = defaultdict(list)
    bursts: dict[str, int] = {}
    numbered: dict[tuple[str, str], int] = {}
    for path in dict.fromkeys(paths):
        folder, stem = str(Path(path).parent), Path(path).stem
        if found := BURST_NUMBER.search(stem):
            bursts[path] = numbered.setdefault((folder, found[1]), len(bursts))
        elif (time := taken_at(path)) is None:
            bursts[path] = len(bursts)
        else:
            bursts[path] = len(bursts)
            series[folder, re.split(r"\d", stem)[0].lower()].append((time, path))
    for shots in series.values():
        shots.sort()
        for (before, one), (time, path) in pairwise(shots):
            if time - before <= gap:
                bursts[path] = bursts[one]
    return bursts


def _time_in_exif(path: str | Path) -> float | None:
    from PIL import Image

    try:
        with Image.open(path) as image:
            block = image.getexif().get_ifd(EXIF_IFD)
        date, _, clock = str(block[TAKEN]).strip("\0 ").partition(" ")
        return _seconds((*date.split(":"), *clock.split(":")), str(block.get(SUBSECONDS, "")))
    except Exception:  # no such block, a damaged one, or no picture
        return None


def _seconds(parts: Iterable[str], fraction: str | None) -> float | None:
    """Seconds of year, month, day, hour, minute and second, and digits of a second."""
    try:
        moment = datetime(*map(int, parts), tzinfo=UTC)  # type: ignore[misc,arg-type]
        digits = (fraction or "").strip("\0 ")
        return moment.timestamp() + (float(f"0.{digits}") if digits.isdigit() else 0.0)
    except (ValueError, TypeError):
        return None
