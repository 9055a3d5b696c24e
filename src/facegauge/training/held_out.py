"""Lists of a run: labels that can be learned, unlabelled lists and what is held out of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from facegauge.data.manifests import Manifest, join_unlabelled
from facegauge.errors import UsageError

LEAST = 5  # labelled pictures of a split
HELD_OUT = 32  # of 256: of a list without splits


def check_labels(data: Manifest, splits: Sequence[str] = ("train", "val")) -> None:
    """Refuse labels from which nothing can be learned, or by which no weights can be chosen.

    Args:
        data: labelled pictures with splits.
        splits: that are looked at.

    Raises:
        UsageError: a split has fewer than `LEAST` pictures, or only one label.
    """
    for name in splits:
        labels = data.where(split=name).labels()
        if len(labels) < LEAST or np.ptp(labels) == 0:
            what = f"all with the label {labels[0]:g}" if len(labels) >= LEAST else "too few"
            raise UsageError(
                f"{data.source} has {len(labels)} pictures with split {name!r}, {what}; expected "
                f"{LEAST} or more, with different labels"
            )


def refuse_unused(
    lists: Sequence[Manifest], used: bool, why: str, *, option: str = "--unlabelled"
) -> None:
    """Refuse lists that no step of a run would read, which its card would name all the same.

    Args:
        lists: of an option.
        used: whether a step reads them.
        why: what the settings do instead, and what to change.
        option: that names the lists.

    Raises:
        UsageError: there are lists, and none is read.
    """
    if lists and not used:
        raise UsageError(f"{option} is not used by these settings: {why}")


def split_held_out(manifests: Sequence[Manifest]) -> tuple[Manifest, Manifest]:
    """Unlabelled lists as one to train on and one that is held out.

    A manifest with splits is divided into its train and val rows. Of one without, an eighth is held
    out, selected by a hash of the file's name.
    """
    train, held_out = [], []
    for manifest in manifests:
        if manifest.splits is not None:
            train.append(manifest.where(split="train"))
            held_out.append(manifest.where(split="val"))
            continue
        selected = np.array([_is_held_out(path) for path in manifest.paths], bool)
        train.append(manifest.take(~selected))
        held_out.append(manifest.take(selected))
    first, second = (
        join_unlabelled([replace(one, splits=None) for one in side]) for side in (train, held_out)
    )
    return first, second


def _is_held_out(path: Path) -> bool:
    name = path.name.encode(errors="surrogateescape")
    return hashlib.sha256(name).digest()[0] < HELD_OUT
