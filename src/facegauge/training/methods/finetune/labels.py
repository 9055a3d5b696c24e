"""The labels of a fine-tuning: what is refused, the split, the list that the run folder keeps."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from facegauge.data.datasets import write_manifest
from facegauge.data.manifests import Manifest
from facegauge.data.splitting import people_column, split_manifest
from facegauge.errors import UsageError
from facegauge.training.methods.finetune.config import SplitConfig

FILE = "labels.csv"  # in the run folder: the pictures with labels from 0 to 1 and their split
LEAST = {"train": 20, "val": 5}  # pictures

logger = logging.getLogger(__name__)


def with_split(data: Manifest, config: SplitConfig) -> Manifest:
    """The pictures with their own splits, or with splits that are drawn; see `split_manifest`.

    Raises:
        UsageError: there are no labels, too few, or only one value.
    """
    labels = data.labels()
    least = sum(LEAST.values())
    if len(data) < least:
        raise UsageError(
            f"{data.source} has {len(data)} labelled pictures; fine-tuning needs {least} or more, "
            "and some 300 for a result to trust"
        )
    if np.ptp(labels) == 0:
        raise UsageError(
            f"all {len(data)} labels of {data.source} are equal; there is nothing to learn"
        )
    if data.splits is None:
        by = people_column(data) or "picture"
        data = split_manifest(data, val=config.val, seed=config.seed)
        logger.info("%s has no column split; drawn by %s", data.source, by)
    for name, count in LEAST.items():
        part = data.where(split=name)
        if len(part) < count or np.ptp(part.labels()) == 0:
            raise UsageError(
                f"{data.source} has {len(part)} pictures with split {name!r}; expected {count} or "
                "more, with different labels"
            )
    return data


def keep(data: Manifest, folder: Path) -> None:
    """Write the list into the run folder, for `evaluate` and `export`, unless it is there."""
    if not (folder / FILE).exists():
        write_manifest(data, folder / FILE)
