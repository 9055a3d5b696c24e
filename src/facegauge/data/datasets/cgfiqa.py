"""CGFIQA-40k (DSL-FIQA, arXiv 2406.09622) in the layout of its authors."""

from __future__ import annotations

from pathlib import Path

from facegauge.data.datasets.annotations import (
    SPLITS,
    Annotations,
    DatasetFormat,
    DatasetOptions,
    LabelledPicture,
)
from facegauge.data.datasets.label_files import parse_label, read_json_columns


def read_cgfiqa(folder: Path, options: DatasetOptions) -> Annotations:
    """Read `<split>/label.json`; the DSL-FIQA authors hand out GFIQA-20k in this layout too.

    Columns of `label.json` other than Image and MOS become groups.
    """
    found = Annotations(picture_folders=[folder / split / "img" for split in SPLITS])
    for split in SPLITS:
        file = folder / split / "label.json"
        if not file.is_file():
            found.missing_files[file] = f"labels of the {split} split"
            continue
        columns = read_json_columns(file)
        group_names = [name for name in columns if name not in ("Image", "MOS")]
        for index, (image, mos) in enumerate(zip(columns["Image"], columns["MOS"], strict=True)):
            location = f"{file}, entry {index}"
            groups = {name.lower(): str(columns[name][index]) for name in group_names}
            path = folder / split / "img" / str(image)
            label = parse_label(mos, location)
            found.pictures.append(LabelledPicture(path, label, split, path.stem, groups, location))
    return found


CGFIQA = DatasetFormat(
    read_cgfiqa,
    "{train,val,test}/img/*.png, {train,val,test}/label.json",
    published={"train": 27_518, "val": 3_931, "test": 7_863},
)
