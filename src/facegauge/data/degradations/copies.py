"""Degraded copies of a picture in a folder, with a manifest that grows with them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from facegauge.arrays import Pixels
from facegauge.data.degradations import degrade
from facegauge.data.list_files import read_columns, write_csv
from facegauge.errors import UsageError
from facegauge.outputs import check_free, replacing
from facegauge.tables.cells import path_from_cell

MANIFEST = "manifest.csv"
NAMES = ("image", "kind", "severity", "source")

Rows = dict[str, dict[str, str]]  # cells by column, of each picture by name


class Copies:
    """The degraded copies of one picture in a folder.

    Args:
        folder: for the copies and `manifest.csv`; made when they are written. Rows that the
            manifest has of other pictures stay.
        picture: path of the source, which the copies are named after.
        kinds: degradations.
        severities: 0..5, of each kind.
        overwrite: replace copies that are there.

    Raises:
        UsageError: a copy is there, or `manifest.csv` is another list.
    """

    def __init__(
        self,
        folder: Path,
        picture: Path,
        kinds: Iterable[str],
        severities: Sequence[float],
        *,
        overwrite: bool = False,
    ) -> None:
        self.folder, self._source = folder, picture
        self._paths = {
            (kind, severity): folder / f"{picture.stem}-{kind}-{severity:g}.png"
            for kind in kinds
            for severity in severities
        }
        check_free(self._paths.values(), overwrite=overwrite)
        self._rows = _read(folder / MANIFEST)

    def __len__(self) -> int:
        return len(self._paths)

    def write(self, pixels: Pixels, seed: int = 0, *, excel: bool = False) -> None:
        """Write the copies; each appears once it is complete, and the manifest has those that do.

        Args:
            pixels: (H, W, 3) uint8, of the picture.
            seed: of noise, directions and positions.
            excel: a manifest for spreadsheets.

        Raises:
            OSError: the folder cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            for (kind, severity), path in self._paths.items():
                copy = degrade(pixels, kind, severity, np.random.default_rng(seed))
                with replacing(path) as fresh:
                    Image.fromarray(copy).save(fresh, "PNG")
                cells = (path.name, kind, f"{severity:g}", os.fspath(self._source))
                self._rows[path.name] = dict(zip(NAMES, cells, strict=True))
        finally:  # after Ctrl-C too
            if self._rows:
                _write(self.folder / MANIFEST, self._rows, excel=excel)


def _read(file: Path) -> Rows:
    if not file.exists():
        return {}
    columns = read_columns(file)
    if missing := [name for name in NAMES if name not in columns]:
        raise UsageError(
            f"{file} has no column {', '.join(missing)}: it is another list; choose another folder"
        )
    columns["source"] = tuple(map(path_from_cell, columns["source"]))
    rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    return {row["image"]: row for row in rows}


def _write(file: Path, rows: Rows, *, excel: bool) -> None:
    names = dict.fromkeys([*NAMES, *(name for row in rows.values() for name in row)])
    columns = {name: [row.get(name, "") for row in rows.values()] for name in names}
    write_csv(file, columns, paths=("image", "source"), excel=excel)
