"""On-disk cache of face detections, so that a resumed run need not detect again."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from facegauge import __version__
from facegauge.arrays import Pixels
from facegauge.faces.detection import CenterFace, Detector
from facegauge.results import Box, Face

NAME = "faces.jsonl"


class CachedDetector:
    """A detector that stores its detections in a file, `faces.jsonl`.

    The key is a hash of a picture's pixels, so the name of the file does not matter. Detections of
    another detector or another version of facegauge are not used. Threads may share an instance,
    and processes may share the file, because each line is appended at once. The file may be deleted
    at any time.

    Args:
        folder: folder of the file, such as a run folder.
        detector: for pictures that are not in the file; CenterFace by default.
    """

    def __init__(self, folder: Path, detector: Detector | None = None) -> None:
        self.file, self.detector = folder / NAME, detector or CenterFace()
        self._known: dict[str, list[Face]] = {}
        lines = self.file.read_bytes().splitlines() if self.file.exists() else []
        for line in lines:
            try:
                row = json.loads(line)
                self._known[row["picture"]] = [_face(one) for one in row["faces"]]
            except (ValueError, KeyError, TypeError):  # a partial line of a killed run
                continue

    def __call__(self, pixels: Pixels) -> list[Face]:
        key = self._key(pixels)
        if key not in self._known:
            self._known[key] = self.detector(pixels)
            self._append({"picture": key, "faces": [asdict(one) for one in self._known[key]]})
        return self._known[key]

    def _key(self, pixels: Pixels) -> str:
        hashed = hashlib.blake2b(pixels.tobytes(), digest_size=16)
        hashed.update(f"{pixels.shape} {self.detector} {__version__}".encode())
        return hashed.hexdigest()

    def _append(self, row: dict[str, object]) -> None:
        line = "\n" + json.dumps(row)  # starts a new line even after a partial one
        with suppress(OSError):  # such as a full disk, which the run itself reports
            file = os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                os.write(file, line.encode())  # one call: lines of two processes do not mix
            finally:
                os.close(file)


def _face(row: dict[str, Any]) -> Face:
    points = tuple((x, y) for x, y in row["points"])
    return Face(Box(**row["box"]), row["confidence"], points)
