"""Looks at every picture of a data set: can it be read, is it there twice, has it landmarks."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from facegauge.data.datasets import DataSet
from facegauge.data.landmarks import landmark_file, load_points
from facegauge.errors import PictureError, UsageError
from facegauge.images.loading import open_picture

Watch = Callable[[Iterator["Look"]], Iterator["Look"]]


@dataclass(frozen=True, slots=True)
class Look:
    """One picture, looked at.

    Attributes:
        digest: sha256 of the file; empty when it cannot be read at all.
        error: why it cannot be opened; empty when it can.
        landmarks: whether there is a landmark file; `landmark_error`: what is wrong with it.
    """

    path: Path
    digest: str
    error: str
    landmarks: bool
    landmark_error: str


@dataclass(frozen=True, slots=True)
class Check:
    """What looking at the pictures has shown.

    Attributes:
        unreadable: picture or landmark file, and why.
        twins: groups of pictures that are the same file, byte by byte.
        landmarks: how many pictures have landmarks.
    """

    unreadable: dict[Path, str]
    twins: tuple[tuple[Path, ...], ...]
    landmarks: int


def check_pictures(found: DataSet, watch: Watch = iter) -> Check:
    """Open every picture that the labels name and that is there.

    Args:
        watch: passes the looks on, to show how far the work is.
    """
    unreadable, twins, landmarks = {}, defaultdict(list), 0
    with ThreadPoolExecutor(2) as pool:
        for look in watch(pool.map(_look, found.manifest.paths)):
            if look.error:
                unreadable[look.path] = look.error
            if look.landmark_error:
                unreadable[landmark_file(look.path)] = look.landmark_error
            if look.digest:
                twins[look.digest].append(look.path)
            landmarks += look.landmarks
    same = tuple(tuple(paths) for paths in twins.values() if len(paths) > 1)
    return Check(unreadable, same, landmarks)


def _look(path: Path) -> Look:
    digest = error = landmark_error = ""
    try:
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        open_picture(content)
    except (PictureError, OSError) as caught:
        error = str(caught)
    marks = landmark_file(path)
    there = marks.is_file()
    if there:
        try:
            load_points(marks)
        except UsageError as caught:
            landmark_error = str(caught)
    return Look(path, digest, error, there, landmark_error)
