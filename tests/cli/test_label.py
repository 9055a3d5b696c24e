"""The verb label, as typed, stopped and killed."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from facegauge.cli import app
from facegauge.data.manifests import load_manifest
from facegauge.labelling.label_table import load_labels
from facegauge.scorer import Scorer

MAIN = [sys.executable, "-c", "from facegauge.cli import main; main()"]


def run(*words, code=0):
    """What a command says on stderr."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == code, result.output
    return result.stderr


def listed(file, *lines):
    file.write_text("\n".join(lines))
    return file


@pytest.fixture
def words(toy_scorer, grey, tmp_path):
    """Labels three pictures, a broken one among them, with the toy scorer."""
    for name, level in (("a.png", 51), ("deep/c.png", 153)):
        grey(f"in/{name}", level)
    (tmp_path / "in" / "b.png").write_bytes(b"no picture")
    return ["label", toy_scorer, "--data", tmp_path / "in", "--faces", "whole",
            "-o", tmp_path / "t.csv"]  # fmt: skip


def test_ctrl_c_prints_the_command_that_goes_on(words, monkeypatch):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("facegauge.labelling.label.label_into", stopped)
    monkeypatch.setattr(sys, "argv", ["facegauge", "label", "mobile", "-o", "my t.csv"])
    expected = "stopped: continue with: facegauge label mobile -o 'my t.csv' --resume"
    assert run(*words, code=130) == f"facegauge: {expected}\n"


def test_a_folder_becomes_a_table(words, tmp_path):
    said = run(*words, code=3)
    assert said == "facegauge: 2 pictures labelled, 0 without a face, 1 failed\n"
    manifest, weights = load_labels(tmp_path / "t.csv")
    assert manifest.paths == (tmp_path / "in/a.png", tmp_path / "in/deep/c.png")
    assert manifest.scores == pytest.approx([0.2, 0.6], abs=1e-5) and weights.tolist() == [1, 1]
    assert "b.png,unreadable" in (tmp_path / "t.csv").read_text()
    said = run(*words, "--resume", code=3)
    assert said == (
        "facegauge: 1 failed before and will be tried again\n"
        "facegauge: 0 pictures more labelled, 0 without a face, 1 failed\n"
    )
    one = listed(tmp_path / "in" / "list.csv", "image", "a.png")
    said = run(*words, "--data", one, "--resume", code=3)
    assert said == (
        f"facegauge: nothing left to do: {tmp_path / 't.csv'} holds every picture, of which "
        "1 failed\n"
    )
    shutil.copy(tmp_path / "in" / "a.png", tmp_path / "in" / "b.png")
    one.unlink()
    assert "1 picture more labelled, 0 without a face, 0 failed" in run(*words, "--resume")
    said = run(*words, "--resume")
    assert said == f"facegauge: nothing left to do: {tmp_path / 't.csv'} holds every picture\n"
    (tmp_path / "in" / "b.png").unlink()
    assert "2 pictures labelled" in run(*words, "--overwrite")


def test_a_manifest_is_labelled_on_the_scale_of_held_out_labels(toy_scorer, grey, tmp_path):
    pytest.importorskip("pyarrow")
    lines = ["image,score,split"]
    for number in range(16):
        level = 8 + 15 * number
        grey(f"known/{number}.png", level)
        lines.append(f"{number}.png,{0.1 + level / 510},{'val' if number % 2 else 'train'}")
    labels = listed(tmp_path / "known" / "labels.csv", *lines)
    grey("a.png", 102)
    data = listed(tmp_path / "data.csv", "image", "a.png")
    out = tmp_path / "t.parquet"
    said = run(
        "label", toy_scorer, "--data", data, "--faces", "whole", "--labels", labels, "-o", out
    )
    assert "fitted to 8 pictures of known/labels.csv, split val\n" in said
    manifest = load_manifest(out)
    assert manifest.scores[0] == pytest.approx(0.3, abs=0.005)
    assert float(manifest.group("raw")[0]) == pytest.approx(0.4, abs=1e-5)
    said = run("label", toy_scorer, "--data", data, "--faces", "whole", "--labels", labels,
               "--split", "all", "-o", out, "--overwrite")  # fmt: skip
    assert "fitted to 16 pictures of known/labels.csv, split train, val\n" in said


def test_a_run_labels_several_views(toy_run, toy_data, tmp_path):
    pytest.importorskip("torch")
    out = tmp_path / "t.csv"
    run("label", toy_run, "--data", toy_data, "--faces", "whole", "--views", 3, "-o", out)
    manifest, weights = load_labels(out)
    assert len(manifest) == 90 and manifest.group("scorer")[0] == "toy"
    assert 0.5 < weights.min() < weights.max() < 1


def test_a_scorer_that_uses_landmarks_labels_as_it_scores(tmp_path):
    astronaut = Path(__file__).parents[2] / "examples" / "astronaut.jpg"
    (tmp_path / "in").mkdir()
    shutil.copy(astronaut, tmp_path / "in")
    out = tmp_path / "t.csv"
    said = run("label", "dsl", "--data", tmp_path / "in", "-o", out)
    assert said == "facegauge: 1 picture labelled, 0 without a face, 0 failed\n"
    scored = Scorer("dsl").score(astronaut).score
    assert load_labels(out)[0].scores.tolist() == pytest.approx([scored], abs=1e-6)
    run("label", "dsl", "--data", tmp_path / "in", "-o", out, "--views", "4", "--overwrite")
    _, weights = load_labels(out)
    assert 0.9 < weights[0] < 1


def test_what_is_wrong_is_said_in_one_line(words, toy_data, grey, tmp_path):
    grey("known/0.png", 9)
    no_split = listed(tmp_path / "known" / "l.csv", "image,score", "0.png,0.5")
    no_score = listed(tmp_path / "known" / "m.csv", "image,split", "0.png,val")
    (tmp_path / "empty").mkdir()
    label, _, *rest = words
    for message, *command in (
        ("no scorer 'nothing'", label, "nothing", *rest),
        (r"to end in \.csv or \.parquet", *words, "-o", tmp_path / "t.xlsx"),
        ("cannot make the folder", *words, "-o", no_split / "t.csv"),
        ("no pictures in", *words, "--data", tmp_path / "empty"),
        ("no manifest at", *words, "--data", tmp_path / "none.csv"),
        ("faces must be whole or auto", *words, "--faces", "all"),
        ("--split goes with --labels", *words, "--split", "val"),
        ("--resume does not go with --overwrite", *words, "--resume", "--overwrite"),
        ("no column split; its columns are image, score", *words, "--labels", no_split),
        ("no column score; its columns are image, split", *words, "--labels", no_score),
        ("no rows with split 'test'", *words, "--labels", toy_data, "--split", "test"),
        ("1 of 1 labelled pictures have a score", *words, "--labels", no_split, "--split", "all"),
    ):
        said = run(*command, code=2)
        assert re.search(message, said) and said.count("\n") == 1, said
    assert not list(tmp_path.glob("t.*"))


@pytest.mark.skipif(os.name == "nt", reason="signals differ there")
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_killed_run_is_resumed_without_gap_or_double(toy_scorer, tmp_path, suffix):
    (tmp_path / "in").mkdir()
    for number in range(300):
        image = Image.new("RGB", (300, 400), (number % 256,) * 3)
        image.save(tmp_path / "in" / f"{number:03}.png", compress_level=1)
    out = tmp_path / f"t{suffix}"
    journal = tmp_path / f"t{suffix}.partial.jsonl"
    words = ["label", str(toy_scorer), "--data", str(tmp_path / "in"), "--faces", "whole",
             "-o", str(out)]  # fmt: skip
    with subprocess.Popen([*MAIN, *words]) as process:
        while not (journal.exists() and journal.stat().st_size) and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL and not out.exists()
    assert re.search(r"\d+ pictures more labelled", run(*words, "--resume"))
    manifest = load_manifest(out)
    assert [path.name for path in manifest.paths] == [f"{number:03}.png" for number in range(300)]
    expected = [number % 256 / 255 for number in range(300)]
    assert manifest.scores == pytest.approx(expected, abs=1e-5)


def test_detect_size_is_kept_with_the_labels(words, tmp_path):
    run(*words, "--detect-size", "320", code=3)
    notes = (tmp_path / "t.csv.settings.json").read_text()
    assert '"detect_size": 320' in notes
    assert "detect_size was 320, is None" in run(*words, "--resume", code=2)


def test_files_that_are_left_out_and_files_that_cannot_be_read(words, tmp_path):
    (tmp_path / "in" / "gone.png").symlink_to("nowhere.png")
    os.mkfifo(tmp_path / "in" / "pipe.png")
    said = run(*words, "--exclude", "deep", "--exclude", "b.*", code=3)
    assert said == "facegauge: 1 picture labelled, 0 without a face, 2 failed\n"
    rows = dict(line.split(",")[:2] for line in (tmp_path / "t.csv").read_text().split("\n")[1:-1])
    assert rows == {"in/a.png": "ok", "in/gone.png": "unreadable", "in/pipe.png": "unreadable"}
    (picture,) = load_manifest(tmp_path / "t.csv").paths  # no row without a label need be there
    assert picture.name == "a.png"
    said = run("label", words[1], "--data", tmp_path / "t.csv", "-o", tmp_path / "u.csv",
               "--exclude", "b", code=2)  # fmt: skip
    assert "--exclude goes with a folder of pictures" in said
