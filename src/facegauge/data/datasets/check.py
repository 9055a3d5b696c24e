"""Opens every picture of a data set: finds unreadable files, duplicates and landmark files."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from facegauge.data.datasets import DataSet
from facegauge.errors import PictureError, UsageError
from facegauge.faces.dense_landmarks import landmark_path, load_landmarks
from facegauge.images.loading import open_picture


@dataclass(frozen=True, slots=True)
class PictureCheck:
    """The check of one picture.

    Attributes:
        path: the picture.
        sha256: of the file, in hex; empty when the file cannot be read.
        error: why the picture cannot be opened; empty when it can.
        has_landmarks: whether there is a landmark file.
        landmark_error: why the landmark file cannot be used; empty when it can.
    """

    path: Path
    sha256: str
    error: str
    has_landmarks: bool
    landmark_error: str


Progress = Callable[[Iterator[PictureCheck]], Iterator[PictureCheck]]


@dataclass(frozen=True, slots=True)
class DatasetCheck:
    """The check of all pictures of a data set.

    Attributes:
        unreadable: picture or landmark file, and the reason.
        identical: groups of pictures with byte-identical files.
        landmarks: number of pictures with a landmark file.
    """

    unreadable: dict[Path, str]
    identical: tuple[tuple[Path, ...], ...]
    landmarks: int


def check_pictures(dataset: DataSet, progress: Progress = iter) -> DatasetCheck:
    """Open every labelled picture that exists.

    Args:
        dataset: of `read_dataset`.
        progress: wraps the iterator over the checks, to show progress.
    """
    unreadable, by_sha256, landmarks = {}, defaultdict(list), 0
    with ThreadPoolExecutor(2) as pool:
        for check in progress(pool.map(_check_picture, dataset.manifest.paths)):
            if check.error:
                unreadable[check.path] = check.error
            if check.landmark_error:
                unreadable[landmark_path(check.path)] = check.landmark_error
            if check.sha256:
                by_sha256[check.sha256].append(check.path)
            landmarks += check.has_landmarks
    identical = tuple(tuple(paths) for paths in by_sha256.values() if len(paths) > 1)
    return DatasetCheck(unreadable, identical, landmarks)


def _check_picture(path: Path) -> PictureCheck:
    sha256 = error = landmark_error = ""
    try:
        content = path.read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()
        open_picture(content)
    except (PictureError, OSError) as caught:
        error = str(caught)
    landmark_file = landmark_path(path)
    has_landmarks = landmark_file.is_file()
    if has_landmarks:
        try:
            load_landmarks(landmark_file)
        except UsageError as caught:
            landmark_error = str(caught)
    return PictureCheck(path, sha256, error, has_landmarks, landmark_error)
