"""`facegauge degrade`, as typed."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from facegauge.cli import app
from facegauge.data.degradations import degrade
from facegauge.data.manifests import load_manifest


def run(*words, code=0):
    """Runs the verb and returns its stderr."""
    result = CliRunner().invoke(app, ["degrade", *map(str, words)])
    assert result.exit_code == code, result.output
    return result.stderr


@pytest.fixture
def picture(tmp_path):
    pixels = np.random.default_rng(0).integers(60, 196, (30, 20, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "face.png")
    return tmp_path / "face.png"


def test_a_sheet_of_all_kinds(picture, tmp_path):
    said = run(picture, "-o", tmp_path / "sheet.png")
    assert said == f"facegauge: {tmp_path / 'sheet.png'}: 15 kinds at 5 severities\n"
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.height > 15 * 30 and sheet.width > 5 * 20


def test_a_sheet_of_some_shrunk(picture, tmp_path):
    run(picture, "-o", tmp_path / "s.png", "--kind", "dark", "--severities", "5,0", "--size", 16)
    with Image.open(tmp_path / "s.png") as sheet:
        pixels = np.asarray(sheet)
    with Image.open(picture) as whole:
        whole.thumbnail((16, 16), Image.Resampling.LANCZOS)
        clean = np.asarray(whole)
    down, right = pixels.shape[0] - 10 - 16, pixels.shape[1] - 10 - 28
    assert clean.shape == (16, 11, 3)
    assert np.array_equal(pixels[down : down + 16, right : right + 11], clean)  # severity 0, last


def test_copies_are_a_manifest(picture, tmp_path):
    said = run(picture, "--into", tmp_path / "out", "--kind", "jpeg", "--kind", "noise",
               "--severities", "1,2.5", "--seed", 7)  # fmt: skip
    assert said == f"facegauge: {tmp_path / 'out'}: 4 pictures and manifest.csv\n"
    manifest = load_manifest(tmp_path / "out" / "manifest.csv")
    assert [path.name for path in manifest.paths] == [
        "face-jpeg-1.png", "face-jpeg-2.5.png", "face-noise-1.png", "face-noise-2.5.png",
    ]  # fmt: skip
    assert manifest.group("kind") == ("jpeg", "jpeg", "noise", "noise")
    assert manifest.group("severity") == ("1", "2.5", "1", "2.5")
    assert set(manifest.group("source")) == {str(picture)}
    with Image.open(picture) as clean, Image.open(manifest.paths[3]) as copy:
        expected = degrade(np.asarray(clean), "noise", 2.5, np.random.default_rng(7))
        assert np.array_equal(np.asarray(copy), expected)


def test_nothing_is_replaced_unasked(picture, tmp_path):
    words = (picture, "--into", tmp_path, "--kind", "dark", "--severities", "1")
    run(*words)
    assert "face-dark-1.png exists" in run(
        picture, "-o", tmp_path / "face-dark-1.png", "--kind", "dark", code=2
    )
    assert "face-dark-1.png exists: replace it with --overwrite" in run(*words, code=2)
    run(*words, "--overwrite")


def test_a_manifest_keeps_what_is_not_made_anew(picture, tmp_path):
    out = tmp_path / "out"
    run(picture, "--into", out, "--kind", "dark", "--severities", "1,2")
    table = out / "manifest.csv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join([lines[0] + ",mine", *(line + ",0.5" for line in lines[1:])]) + "\n")
    run(picture, "--into", out, "--kind", "jpeg", "--severities", "3")
    run(picture, "--into", out, "--kind", "dark", "--severities", "2,4", "--overwrite")
    manifest = load_manifest(table)
    names = [path.name for path in manifest.paths]
    assert names == [f"face-{one}.png" for one in ("dark-1", "dark-2", "jpeg-3", "dark-4")]
    assert table.read_text().splitlines()[1:3] == [
        f"face-dark-1.png,dark,1,{picture},0.5",
        f"face-dark-2.png,dark,2,{picture},",
    ]
    assert set(manifest.group("source")) == {str(picture)}
    table.write_text("image,score\nx.png,0.5\n")
    said = run(picture, "--into", out, "--kind", "noise", "--severities", "1", code=2)
    assert "no column kind, severity, source: it is another list" in said


def test_ctrl_c_leaves_whole_copies_that_the_manifest_has(picture, tmp_path, monkeypatch):
    from PIL import Image

    from facegauge.data.degradations.copies import Copies

    saved = []
    save = Image.Image.save

    def stopped(image, path, kind):
        saved.append(path)
        save(image, path, kind)
        if len(saved) == 2:
            path.write_bytes(path.read_bytes()[:20])
            raise KeyboardInterrupt

    monkeypatch.setattr(Image.Image, "save", stopped)
    copies = Copies(tmp_path / "out", picture, ["dark"], [1, 2, 3])
    with pytest.raises(KeyboardInterrupt):
        copies.write(np.zeros((32, 32, 3), np.uint8))
    assert sorted(one.name for one in (tmp_path / "out").iterdir()) == [
        "face-dark-1.png",
        "manifest.csv",
    ]
    assert [one.name for one in load_manifest(tmp_path / "out" / "manifest.csv").paths] == [
        "face-dark-1.png"
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "nothing to write"),
        (["--into", "copies", "--size", "100"], "--size applies to the sheet of -o only"),
        (["-o", "sheet.gif"], "expected a name that ends in .png"),
        (
            ["-o", "s.png", "--kind", "fog"],
            "unknown degradation 'fog'; expected one of gaussian_blur",
        ),
        (["-o", "s.png", "--severities", "1,6"], "got '6' in '1,6'"),
        (["-o", "s.png", "--severities", "1,"], "got '' in '1,'"),
        (["-o", "s.png", "--severities", "nan"], "numbers from 0 to 5"),
        (["-o", "face.png/s.png"], "cannot make the folder face.png"),
    ],
)
def test_wrong_words_are_said(picture, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    assert said in run(picture, *words, code=2)
    assert [path.name for path in tmp_path.iterdir()] == ["face.png"]


def test_a_broken_picture_is_said(tmp_path):
    (tmp_path / "b.png").write_bytes(b"no picture")
    said = run(tmp_path / "b.png", "-o", tmp_path / "s.png", code=2)
    assert f"cannot degrade {tmp_path / 'b.png'}: the file is not a picture" in said
    assert not (tmp_path / "s.png").exists()
