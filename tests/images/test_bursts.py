"""Bursts by names and times: what belongs together, and what does not."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from facegauge.images.bursts import EXIF_IFD, SUBSECONDS, TAKEN, find_bursts, taken_at


def shot(path: Path, taken: str, fraction: str = "") -> str:
    exif = Image.Exif()
    exif.get_ifd(EXIF_IFD).update({TAKEN: taken, SUBSECONDS: fraction})
    Image.new("RGB", (8, 8)).save(path, exif=exif)
    return str(path)


def grouped(*paths: str) -> list[set[str]]:
    bursts = find_bursts(paths)
    return [
        {Path(p).name for p in paths if bursts[p] == one} for one in sorted(set(bursts.values()))
    ]


def test_times_of_exif_and_of_names(tmp_path: Path) -> None:
    first = taken_at(shot(tmp_path / "a.jpg", "2024:02:29 23:59:59", "25"))
    second = taken_at(shot(tmp_path / "b.jpg", "2024:03:01 00:00:00"))
    assert first is not None and second is not None and second - first == pytest.approx(0.75)
    for name in (
        "IMG_20240301_000000",
        "PXL_20240301_000000000",
        "2024-03-01 00.00.00",
        "20240301000000",
    ):
        assert taken_at(f"no/{name}.jpg") == second
    # the camera's clock goes before the name
    assert taken_at(shot(tmp_path / "20240301_000000.jpg", "2024:03:02 00:00:00")) != second
    for name in ("IMG_0001", "20241301_000000", "IMG_20240301", "120240301000000", "photo"):
        assert taken_at(f"{name}.jpg") is None
    assert taken_at(shot(tmp_path / "c.jpg", "0000:00:00 00:00:00")) is None
    (tmp_path / "d.jpg").write_text("no picture")
    assert taken_at(tmp_path / "d.jpg") is None


def test_a_burst_is_a_chain_of_shots_of_one_camera_in_one_folder(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    seconds = {
        "DSC_1.jpg": 0,
        "DSC_2.jpg": 2,
        "DSC_3.jpg": 4,
        "DSC_4.jpg": 7,
        "P_5.jpg": 4,
        "other/DSC_2.jpg": 2,
    }
    paths = [shot(tmp_path / name, f"2024:01:01 10:00:{s:02}") for name, s in seconds.items()]
    assert grouped(*paths[:5]) == [
        {"DSC_1.jpg", "DSC_2.jpg", "DSC_3.jpg"},
        {"DSC_4.jpg"},
        {"P_5.jpg"},
    ]
    bursts = find_bursts(reversed(paths))  # in any order
    assert bursts[paths[0]] == bursts[paths[2]] != bursts[paths[5]]


def test_phones_number_their_bursts() -> None:
    assert grouped(
        "00001IMG_00001_BURST20190101120000123.jpg",
        "00002PORTRAIT_00002_BURST20190101120000123_COVER.jpg",
        "00001IMG_00001_BURST20190101130000123.jpg",
        "20190101_140000(0).jpg",
        "20190101_140000.jpg",
        "IMG_20190101_120000_BURST1.jpg",
        "IMG_20190101_120000_BURST2.jpg",
    ) == [
        {
            "00001IMG_00001_BURST20190101120000123.jpg",
            "00002PORTRAIT_00002_BURST20190101120000123_COVER.jpg",
        },
        {"00001IMG_00001_BURST20190101130000123.jpg"},
        {"20190101_140000(0).jpg", "20190101_140000.jpg"},
        {"IMG_20190101_120000_BURST1.jpg", "IMG_20190101_120000_BURST2.jpg"},
    ]


def test_pictures_without_a_time_are_alone() -> None:
    assert grouped("IMG_0001.jpg", "IMG_0002.jpg") == [{"IMG_0001.jpg"}, {"IMG_0002.jpg"}]
