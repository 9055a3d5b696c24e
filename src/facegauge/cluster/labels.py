"""Pseudo-labels on a cluster: the table that one machine would have written."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from facegauge.cluster.blocks import Block, blocks_of_names
from facegauge.cluster.run import Outcome
from facegauge.cluster.tasks import LabelTask, Task
from facegauge.data.manifests import Manifest
from facegauge.errors import UsageError
from facegauge.faces.extraction import FaceExtractor
from facegauge.labelling.label import (
    BATCH,
    UNCHANGED,
    Labeller,
    fit_mapping,
    label_settings,
    one_face_policy,
)
from facegauge.labelling.label_table import COLUMNS, Table
from facegauge.predictors import Predictor
from facegauge.results import Status
from facegauge.tables.files import table_rows
from facegauge.tables.formats import Row

RunTask = Callable[[str, Task, Iterator[Block]], Outcome]


def label_on_cluster(
    out: Path,
    predictor: Predictor,
    manifest: Manifest,
    run: RunTask,
    *,
    faces: str = "auto",
    views: int = 1,
    held_out: Manifest | None = None,
    batch_size: int = BATCH,
    detect_size: int | None = None,
    resume: bool = False,
    excel: bool = False,
) -> Counter[Status]:
    """Label a manifest on a cluster into a table, as `labelling.label.label_into` does here.

    The labels come as parts in the folder `<out>.parts`. When all are there they become the table,
    in the order of the manifest, and the folder goes.

    Args:
        out, predictor, manifest: as for `label_into`. The manifest and the teacher lie in the same
            places on every machine.
        run: has a task done with blocks into a folder, such as a partial `cluster.run.run`.
        faces, views, held_out, batch_size, detect_size, excel: as for `label_into`.
        resume: continue what is in the folder, if anything.

    Returns:
        How many pictures of this run have which status.

    Raises:
        UsageError: as for `label_into` and `cluster.run.run`.
    """
    policy = one_face_policy(predictor, faces, views, batch_size, detect_size)
    table = Table(out, excel=excel)
    if table.exists:
        raise UsageError(f"{out} exists; go on without --on ray, or label into another table")
    names = {table.name(path): None for path in manifest.paths}
    mapping = UNCHANGED
    if held_out is not None:
        mapping = fit_mapping(predictor, held_out, views=views, batch_size=batch_size)
    settings = label_settings(
        predictor, faces=faces, views=views, held_out=held_out, detect_size=detect_size, excel=excel
    )
    labeller = Labeller(
        predictor, FaceExtractor(predictor.spec, policy, threads=1), views, mapping, batch_size
    )
    task = LabelTask(labeller, predictor.name, {**settings, "mapping": asdict(mapping)})
    folder = out.with_name(out.name + ".parts")
    outcome = run(str(folder), task, blocks_of_names(names, os.path.abspath(out.parent)))  # noqa: PTH100
    rows = _rows(folder)
    table.begin(settings, mapping)
    with table:
        for name in names:
            table.append(rows.pop(name))
    shutil.rmtree(folder)
    return Counter({Status(status): count for status, count in outcome.new.items()})


def _rows(folder: Path) -> dict[str, Row]:
    """The rows of all parts by their pictures."""
    parts = sorted(folder.glob("*.parquet"))
    return {row["image"]: row for part in parts for row in table_rows(part, COLUMNS)}
