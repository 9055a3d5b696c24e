"""Pack pictures and first weights for `train.py`, for a machine without these lists or a network.

    python benchmarks/gpu/pack.py --crops crops.csv --photos photos.csv -o runs/pack \\
        --unlabelled faces.csv --unlabelled-photos more.csv --weights efficientnet_lite2=lite2.pth

Faces are found, cut out and compressed anew, as AVIF with full colour. Photos come first, then
crops, then those without a label; of the last source that fits, pictures are drawn at random.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from lesson import SOURCES
from PIL import Image, features

from facegauge.data.leakage import refuse_leaks, without_leaks
from facegauge.data.manifests import Manifest, join_unlabelled, load_manifest
from facegauge.errors import UsageError
from facegauge.nn.checkpoints import find_run, save_run
from facegauge.nn.pretrained import backbone_weights
from facegauge.training.begin import describe
from facegauge.training.config import load_preset
from facegauge.training.inputs.pictures import load_framed
from facegauge.training.inputs.views import Framed
from facegauge.training.methods.photos.views import FILTERS, resized

FILE = "pictures.npz"
FEWEST = 8  # labelled pictures of a split
LARGEST = 1000.0  # width of a frame, in pixels: larger ones are shrunken
Row = tuple[bytes, int, bool, float, tuple[float, ...]]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--crops", type=Path, required=True, help="labelled framed faces")
    parser.add_argument("--photos", type=Path, required=True, help="labelled photos")
    parser.add_argument("--unlabelled", type=Path, nargs="*", default=[], help="framed faces")
    parser.add_argument("--unlabelled-photos", type=Path, nargs="*", default=[])
    parser.add_argument("--scorers", nargs="+", default=["mobile", "efficient"])
    parser.add_argument("--weights", nargs="*", default=[], help="BACKBONE=FILE: ImageNet weights")
    parser.add_argument("--size", type=float, default=60.0, help="of the pictures, in MB")
    parser.add_argument("--quality", type=int, default=65, help="of the pictures, as AVIF")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args(arguments)

    if not features.check("avif"):
        raise UsageError("this Pillow cannot write AVIF: pip install --upgrade pillow")
    options.output.mkdir(parents=True, exist_ok=True)
    write_weights(options.output, options.scorers, options.weights)
    lists = read_lists(options.crops, options.photos, options.unlabelled, options.unlabelled_photos)
    described = describe([parts["train"] for parts in lists.values()])
    (options.output / "data.json").write_text(json.dumps(described))
    spec = load_preset("photos", "cpu").input.spec
    pictures = {}
    for name, parts in lists.items():
        faces = "auto" if name.endswith("photos") else "whole"
        pictures[name] = {part: load_framed(one, spec, faces) for part, one in parts.items()}
    print(write_pictures(options.output, pictures, options.size * 1e6, options.quality))
    print(f"{options.output}: {size_of(options.output) / 1e6:.1f} MB")


def read_lists(
    crops: Path, photos: Path, unlabelled: Sequence[Path], unlabelled_photos: Sequence[Path]
) -> dict[str, dict[str, Manifest]]:
    """The lists by source and split, without leaks."""
    labelled = {"photos": load_manifest(photos), "crops": load_manifest(crops)}
    lists: dict[str, dict[str, Manifest]] = {}
    for name, data in labelled.items():
        data.labels()
        refuse_leaks(data)
        lists[name] = {split: data.where(split=split) for split in ("train", "val")}
    held = [parts["val"] for parts in lists.values()]
    lists["photos"]["train"] = without_leaks(lists["photos"]["train"], [lists["crops"]["val"]])
    known = {"unlabelled": [*labelled.values()], "unlabelled_photos": [*held, labelled["photos"]]}
    for name, files in (("unlabelled_photos", unlabelled_photos), ("unlabelled", unlabelled)):
        if files:
            more = join_unlabelled([load_manifest(file) for file in files])
            lists[name] = {"train": without_leaks(more, known[name])}
    return lists


def write_weights(folder: Path, scorers: Iterable[str], weights: Iterable[str]) -> None:
    """Scorers as run folders and backbones as .pth files, in half precision."""
    for name in scorers:
        run = find_run(name)
        save_run(folder / name, system=run.system, network=run.network.half(), config=run.config,
                 spec=run.spec, settings=run.settings)  # fmt: skip
    for pair in weights:
        backbone, _, file = pair.partition("=")
        state = backbone_weights(backbone, file)
        halves = {name: value.half() for name, value in state.items() if value.is_floating_point()}
        torch.save(halves, folder / f"{backbone}.pth")


def write_pictures(
    folder: Path, pictures: dict[str, dict[str, list[Framed]]], size: float, quality: int
) -> str:
    """Write `pictures.npz`, of at most `size` bytes; what was packed, in words.

    Raises:
        UsageError: too few labelled pictures fit.
    """
    rows: list[Row] = []
    used, counts = 0, []
    for name in SOURCES:
        parts = pictures.get(name, {})
        every = [(one, part == "val") for part, some in parts.items() for one in some]
        before = len(rows)
        for place in np.random.default_rng(0).permutation(len(every)).tolist():
            row = packed(*every[place], name, quality)
            used += len(row[0])
            if used > size:
                break
            rows.append(row)
        counts.append(f"{len(rows) - before} of {len(every)} {name}")
    blobs, sources, val, scores, frames = zip(*rows, strict=True) if rows else [()] * 5
    held = [(source, part) for source, part in zip(sources, val, strict=True) if source < 2]
    if min(held.count((source, part)) for source in (0, 1) for part in (False, True)) < FEWEST:
        raise UsageError(
            f"{', '.join(counts)} fit into {size / 1e6:g} MB, which is too few of a split; give a "
            "larger --size or a lower --quality"
        )
    np.savez(
        folder / FILE,
        blobs=np.frombuffer(b"".join(blobs), np.uint8),
        ends=np.cumsum([len(blob) for blob in blobs]),
        source=np.array(sources, np.int64),
        val=np.array(val, bool),
        score=np.array(scores, np.float32),
        frame=np.array(frames, np.float32),
    )
    return ", ".join(counts)


def packed(one: Framed, val: bool, name: str, quality: int) -> Row:
    """A row: file, source, whether of val, label or nan, frame."""
    one = _at_most_largest(one)
    file = io.BytesIO()
    Image.fromarray(one.pixels).save(file, "AVIF", quality=quality, subsampling="4:4:4")
    box, score = one.frame, np.nan if one.score is None else one.score
    return file.getvalue(), SOURCES.index(name), val, score, (
        *(box.left, box.top, box.right, box.bottom),
    )  # fmt: skip


def _at_most_largest(one: Framed) -> Framed:
    if one.frame.width <= LARGEST:
        return one
    pixels, frame = resized(one.pixels, one.frame, LARGEST / one.frame.width, FILTERS[1])
    return replace(one, pixels=pixels, frame=frame)


def size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


if __name__ == "__main__":
    main()
