"""A part of a list with as many pictures of each group."""

from __future__ import annotations

import numpy as np

from facegauge.data.groups import groupings
from facegauge.data.manifests import Manifest
from facegauge.errors import UsageError


def balance(manifest: Manifest, by: str, n: int | None = None, seed: int = 0) -> Manifest:
    """Draw as many pictures of each group, in the order of the list.

    Args:
        manifest: the list.
        by: a group column, or several with commas, whose crossings are the groups.
        n: pictures of each group; None: as many as the smallest has.
        seed: of the random choice.

    Raises:
        UsageError: no such column, one group only, or a group has fewer than n pictures.
    """
    crossed = groupings(manifest.group, [by])
    if not crossed:
        raise UsageError(f"expected a group column or several with commas, got {by!r}")
    names = np.array(crossed[-1].names)
    found, counts = np.unique(names, return_counts=True)
    if len(found) < 2:
        raise UsageError(f"{crossed[-1].by} has one group, {found[0]}; expected two or more")
    wanted = int(counts.min()) if n is None else n
    if wanted < 1:
        raise UsageError(f"expected n to be 1 or more, got {wanted}")
    if few := [
        f"{name} {count}" for name, count in zip(found, counts, strict=True) if count < wanted
    ]:
        raise UsageError(f"expected {wanted} pictures of each group; there are: {', '.join(few)}")
    rng = np.random.default_rng(seed)
    chosen = [rng.choice(np.flatnonzero(names == name), wanted, replace=False) for name in found]
    return manifest.take(np.sort(np.concatenate(chosen)))
