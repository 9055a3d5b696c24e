"""Folders in the layouts of four public data sets, with generated pictures of one portrait.

They stand in for the data sets, which may not be handed on: every step of reproduce.py can be tried
and tested on them. Their figures mean nothing. The face is that of examples/astronaut.jpg, which is
in the public domain, before a background of its own in every picture; the label is its sharpness.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

PORTRAIT = Path(__file__).parent.parent / "examples" / "astronaut.jpg"
HEAD = (150, 25, 305, 215)  # of the portrait: the head
SHARE = 0.55  # of the picture's width, that the head takes
SPLIT = "split.csv"
SPLITS = {"train": 16, "val": 6, "test": 6}


def make(name: str, folder: Path) -> None:
    """Write the folder of a data set, and beside it `faces` and `clean`, without labels.

    Each of these two has a list, `split.csv`, half of which is val.
    """
    rng = np.random.default_rng(0)
    MAKERS[name](folder, rng)
    for number in range(12):
        for more, level in (("faces", rng.uniform(0.2, 0.9)), ("clean", 1.0)):
            _save(folder.with_name(f"{folder.name}_{more}") / f"{number}.png", level, rng)
    rows = [[f"{number}.png", ("train", "val")[number % 2]] for number in range(12)]
    for more in ("faces", "clean"):
        _write(folder.with_name(f"{folder.name}_{more}") / SPLIT, [["image", "split"], *rows])


def face(level: float, rng: np.random.Generator, size: tuple[int, int] = (512, 512)) -> Image.Image:
    """A head before a random background; the lower the level, 0..1, the more blurred."""
    width, height = size
    blobs = rng.integers(0, 256, (5, 5, 3), np.uint8)
    picture = Image.fromarray(blobs).resize(size, Image.Resampling.BICUBIC)
    wide = round(SHARE * width)
    high = round(wide * (HEAD[3] - HEAD[1]) / (HEAD[2] - HEAD[0]))
    with Image.open(PORTRAIT) as portrait:
        head = portrait.convert("RGB").crop(HEAD).resize((wide, high))
    oval = Image.new("L", (wide, high))
    ImageDraw.Draw(oval).ellipse((0, 0, wide - 1, high - 1), fill=255)
    right, down = rng.integers(-3, 4, 2)
    at = ((width - wide) // 2 + int(right), (height - high) // 2 + height // 20 + int(down))
    picture.paste(head, at, oval.filter(ImageFilter.GaussianBlur(4)))
    return picture.filter(ImageFilter.GaussianBlur((1 - level) * width / 120))


def _save(
    file: Path, level: float, rng: np.random.Generator, size: tuple[int, int] = (512, 512)
) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    quick = {"compress_level": 1} if file.suffix == ".png" else {}
    face(level, rng, size).save(file, **quick)


def _levels(count: int, rng: np.random.Generator) -> list[float]:
    """Labels from 0.1 to 0.95, in random order."""
    return rng.permutation(np.linspace(0.1, 0.95, count)).round(4).tolist()


def _write(file: Path, rows: list[list[object]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(rows)


def gfiqa(folder: Path, rng: np.random.Generator) -> None:
    """image/<photo>_<face>.png and mos_val_rating.csv."""
    rows: list[list[object]] = [["img_name", "mos"]]
    for number, level in enumerate(_levels(36, rng)):
        name = f"{6301417796 + 37 * number}_{number % 2}.png"
        _save(folder / "image" / name, level, rng)
        rows.append([name, level])
    _write(folder / "mos_val_rating.csv", rows)


def cgfiqa(folder: Path, rng: np.random.Generator) -> None:
    """{split}/img/*.png, {split}/landmark/*.npy and {split}/label.json."""
    for split, count in SPLITS.items():
        names, levels = [], _levels(count, rng)
        for number, level in enumerate(levels):
            names.append(f"{split}_{number:04d}.png")
            _save(folder / split / "img" / names[-1], level, rng)
            file = folder / split / "landmark" / f"{split}_{number:04d}.npy"
            file.parent.mkdir(exist_ok=True)
            np.save(file, rng.uniform(100, 400, (68, 2)))
        text = json.dumps({"Image": names, "MOS": levels})
        (folder / split / "label.json").write_text(text, encoding="utf-8")


def piq23(folder: Path, rng: np.random.Generator) -> None:
    """{attribute}/*, Scores_{attribute}.csv with backslashes, and the two official splits."""
    header = [
        *("IMAGE PATH", "JOD", "JOD STD", "CI LOW", "CI HIGH", "CI RANGE", "QUALITY LEVEL"),
        *("CLUSTER", "TOTAL COMPARISONS", "IMAGE", "SCENE", "ATTRIBUTE", "SCENE IDX", "CONDITION"),
    ]
    suffixes = (".jpg", ".JPG", ".jpeg", ".tif", ".tiff")
    scenes = ("Indoor_Scene_0", "Lowlight_Scene_1", "Outdoor_Scene_2", "Night_Scene_3")
    made = []
    for number, level in enumerate(_levels(32, rng)):
        scene = scenes[number % len(scenes)]
        name = f"{number}_{scene}{suffixes[number % len(suffixes)]}"
        made.append((name, scene, number, level))
    for attribute in ("Overall", "Details", "Exposure"):
        rows: list[list[object]] = [[*header]]
        for name, scene, number, level in made:
            if attribute == "Overall":
                _save(folder / attribute / name, level, rng, (480, 600))
            jod = round(8 * level - 4, 3)
            rows.append([
                f"{attribute}\\{name}", jod, 0.3, jod - 0.5, jod + 0.5, 1.0, 1, 0, 30,
                name, scene, attribute, number % len(scenes), scene.split("_")[0],
            ])  # fmt: skip
        _write(folder / f"Scores_{attribute}.csv", rows)
    device = [[name, "Test" if number % 4 == 3 else "Train"] for name, _, number, _ in made]
    _write(folder / "Test split" / "Device Split.csv", [["IMAGE", "SPLIT"], *device])
    scene_rows = [[scene, "Test" if place == 3 else "Train"] for place, scene in enumerate(scenes)]
    _write(folder / "Test split" / "Scene Split.csv", [["SCENE", "SPLIT"], *scene_rows])


def vquala(folder: Path, rng: np.random.Generator) -> None:
    """train.csv without a header, train/*.png, and CelebA's list of identities."""
    rows: list[list[object]] = []
    people = []
    for number, level in enumerate(_levels(44, rng)):
        from_flickr = number % 11 == 10
        name = f"z{number:05d}" if from_flickr else f"{202599 - 97 * number:06d}"
        size = (240, 300) if from_flickr else (178, 218)
        _save(folder / "train" / f"{name}.png", level, rng, size)
        rows.append([name, level])
        if not from_flickr:
            people.append(f"{name}.jpg {number}")
    _write(folder / "train.csv", rows)
    (folder / "identity_CelebA.txt").write_text("\n".join(people) + "\n", encoding="utf-8")


MAKERS: dict[str, Callable[[Path, np.random.Generator], None]] = {
    "gfiqa-20k": gfiqa,
    "cgfiqa-40k": cgfiqa,
    "piq23": piq23,
    "vquala-2025": vquala,
}
