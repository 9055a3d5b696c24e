"""Pseudo-labels: what a label is, the mapping, and the table that a killed run resumes."""

from __future__ import annotations

import csv
import json
import logging
import math
import os
import statistics
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from facegauge.data.manifests import Manifest, load_manifest
from facegauge.errors import ScorerError, UsageError
from facegauge.evaluation.logistic import FittedCurve
from facegauge.evaluation.predictions import predict
from facegauge.faces.spec import PreprocessSpec
from facegauge.labelling import label_table
from facegauge.labelling.label import fit_mapping, label, label_into
from facegauge.labelling.label_table import COLUMNS, load_labels
from facegauge.predictors import open_predictor
from facegauge.results import Box, Face
from facegauge.scorer import Scorer
from toys import ToyPredictor

PLAIN = PreprocessSpec(width=100, height=120, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


class Spy:
    """A network that remembers what it saw; its score is the mean of the pixels, 0..1."""

    def __init__(self):
        self.seen = []

    def __call__(self, images):
        self.seen += [np.rint(image.transpose(1, 2, 0) * 255).astype(np.uint8) for image in images]
        return images.astype(np.float64).mean((1, 2, 3))


@pytest.fixture
def teacher():
    return ToyPredictor("spy", "0" * 64, PLAIN, Spy())


@pytest.fixture
def folder(tmp_path):
    """Four pictures of the teacher's input size."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(4):
        picture(number, (100, 120), 0.2 + number / 10).save(pictures / f"{number:02}.png")
    return pictures


def pixels(path):
    return np.asarray(Image.open(path).convert("RGB"))


def picture(seed, size, level=0.5):
    """Smooth random colours of a mean brightness; every seed another picture."""
    rng = np.random.default_rng(seed)
    coarse = np.clip(255 * level + 60 * rng.normal(size=(6, 5, 3)), 0, 255).astype(np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def listed(*paths):
    return Manifest(tuple(paths), None, None)


# what a label is


def test_one_view_is_what_scoring_sees(toy_scorer, toy_run, toy_data):
    manifest = load_manifest(toy_data).take(range(9))
    scorer = Scorer(toy_scorer, faces="whole")
    labels = list(label(open_predictor(toy_scorer), manifest, faces="whole"))
    assert [one.score for one in labels] == [s.score for s in scorer.score_iter(manifest.paths)]
    assert {(one.spread, one.weight, one.status) for one in labels} == {(0.0, 1.0, "ok")}
    labels = list(label(open_predictor(toy_run), manifest, faces="whole"))
    expected = predict(toy_run, manifest).scores
    assert [one.score for one in labels] == pytest.approx(expected, abs=1e-6)
    assert np.ptp(expected) > 1e-3


def test_several_views_are_mirrored_and_shifted_and_averaged(teacher, folder):
    path = folder / "00.png"
    (one,) = label(teacher, listed(path), faces="whole", views=5)
    plain, *moved = teacher.function.seen
    assert np.array_equal(plain, pixels(path)) and len(moved) == 4
    padded = np.pad(plain, ((4, 4), (4, 4), (0, 0)), "edge")
    shifts = []
    for number, seen in enumerate(moved):
        view = seen[:, ::-1] if number % 2 == 0 else seen
        found = [
            (right - 4, down - 4)
            for right in range(9)
            for down in range(9)
            if np.array_equal(padded[down : down + 120, right : right + 100], view)
        ]
        assert len(found) == 1, number
        shifts += found
    assert len(set(shifts)) > 1 and max(abs(right) for right, _ in shifts) <= 3
    raws = [float(view.mean() / 255) for view in teacher.function.seen]
    spread = statistics.pstdev(raws)
    assert one.raw == pytest.approx(statistics.fmean(raws), abs=1e-6) == one.score
    assert one.spread == pytest.approx(spread, abs=1e-7) and spread > 1e-5
    assert one.weight == pytest.approx(math.exp(-spread), abs=1e-7)


def test_a_label_depends_on_nothing_but_its_picture(teacher, folder):
    Image.open(folder / "02.png").save(folder / "04.bmp")
    paths = sorted(folder.iterdir())
    alone = [next(label(teacher, listed(path), faces="whole", views=3)) for path in paths]
    for batch_size, order in ((1, paths), (4, paths[::-1]), (99, paths[2:] + paths[:2])):
        labels = label(teacher, listed(*order), faces="whole", views=3, batch_size=batch_size)
        assert sorted(labels, key=lambda one: one.path) == alone
    assert alone[4].raw == alone[2].raw != alone[1].raw
    assert alone[4].spread == alone[2].spread > 0


def test_the_largest_face_is_cut_out_and_every_picture_has_a_status(toy_scorer, tmp_path):
    def detector(seen):
        side = int(seen[0, 0, 0])  # a picture's first pixel says how large its face is
        if side == 1:
            raise RuntimeError("no luck")
        boxes = [Box(30, 20, 30 + side, 20 + side), Box(0, 0, 9, 9)] if side else []
        return [Face(box, 0.9) for box in boxes]

    for name, side in (("face", 40), ("none", 0), ("small", 10), ("fails", 1)):
        image = picture(len(name), (120, 120))
        image.putpixel((0, 0), (side, 0, 0))
        image.save(tmp_path / f"{name}.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    names = ["broken", "face", "none", "small", "fails"]
    paths = [tmp_path / f"{name}.png" for name in names]
    labels = list(label(open_predictor(toy_scorer), listed(*paths), detector=detector))
    assert [one.status for one in labels] == ["unreadable", "ok", "no_face", "too_small", "error"]
    assert [one.path for one in labels] == paths
    assert "10 px" in labels[3].message and labels[4].message == "RuntimeError: no luck"
    scored = Scorer(toy_scorer, faces="largest", detector=detector).score(paths[1])
    assert labels[1].score == scored.score
    assert labels[0].raw is labels[0].score is labels[0].spread is labels[0].weight is None

    broken = ToyPredictor("nan", "", PLAIN, lambda images: np.full(len(images), np.nan))
    (one,) = label(broken, listed(paths[1]), faces="whole")
    assert (one.status, one.score) == ("error", None) and "not a number" in one.message


def test_pictures_are_read_as_they_are_needed(teacher, folder):
    looks = []

    def detector(seen):
        looks.append(seen)
        return []

    found = label(teacher, listed(*[folder / "00.png"] * 99), batch_size=2, detector=detector)
    next(found)
    assert len(looks) < 20
    assert len(list(found)) == 98 and len(looks) == 99


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"faces": "all"}, "faces must be whole or auto"),
        ({"views": 0}, "expected views to be 1 or more, got 0"),
        ({"batch_size": 0}, "expected batch_size to be 1 or more"),
    ],
)
def test_wrong_arguments_are_refused_at_once(teacher, folder, tmp_path, options, message):
    with pytest.raises(UsageError, match=message):
        label(teacher, listed(), **options)
    with pytest.raises(UsageError, match=message):
        label_into(tmp_path / "t.csv", teacher, listed(), **options)


def test_labelling_by_several_views_needs_no_torch(toy_scorer, folder):
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from facegauge.data.manifests import load_manifest\n"
        "from facegauge.labelling.label import label\n"
        "from facegauge.predictors import open_predictor\n"
        "found = list(label(open_predictor(sys.argv[1]), load_manifest(sys.argv[2]), "
        "faces='whole', views=4))\n"
        "print(*(one.score for one in found))"
    )
    command = [sys.executable, "-c", code, str(toy_scorer), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    here = label(open_predictor(toy_scorer), load_manifest(folder), faces="whole", views=4)
    assert list(map(float, done.stdout.split())) == [one.score for one in here]
    with pytest.raises(ScorerError, match="no scorer 'nothing'"):
        open_predictor("nothing")


def test_landmarks_reach_the_teacher_and_are_mirrored_with_the_views(folder):
    """A teacher that looks at the pixel where the left eye is."""
    points = ((32.0, 41.0), (75.0, 44.0), (58.0, 60.0), (39.0, 90.0), (64.0, 93.0))
    seen = []

    def eye(images, landmarks):
        seen.append(landmarks.reshape(-1, 5, 2))
        return landmarks[:, 0].astype(np.float64)

    def detector(pixels):
        return [Face(Box(20, 30, 80, 110), 0.9, points)]

    teacher = ToyPredictor("eye", "0" * 64, PLAIN, eye, uses_landmarks=True)
    (one,) = label(teacher, listed(folder / "00.png"), faces="whole", views=3, detector=detector)
    views = np.concatenate(seen)
    plain = (2 * np.array(points) / (100, 120) - 1).astype(np.float32)
    assert views[0] == pytest.approx(plain, abs=1e-6)
    mirrored = plain[[1, 0, 2, 4, 3]] * (-1, 1)
    for view, expected in ((views[1], mirrored), (views[2], plain)):
        moved = view - expected  # all points by one shift, of whole pixels
        assert moved == pytest.approx(np.broadcast_to(moved[0], (5, 2)), abs=1e-6)
        steps = moved[0] * (50, 60)
        assert steps == pytest.approx(np.round(steps), abs=1e-4)
        assert np.abs(steps).max() <= 3.7
    assert one.raw == pytest.approx(float(np.mean([view[0, 0] for view in views])), abs=1e-6)
    blind = ToyPredictor("blind", "0" * 64, PLAIN, lambda images: images.mean((1, 2, 3)))
    searched = []
    list(label(blind, listed(folder / "00.png"), faces="whole", views=2, detector=searched.append))
    assert not searched


# the mapping


def held_out(folder, curve, count=12):
    """Labelled grey pictures: 0.1, 0.15, ... of full white, labels by a curve of that."""
    folder.mkdir(exist_ok=True)
    lines = ["image,score,split"]
    for number in range(count):
        level = round(255 * (0.1 + number / 20))
        Image.new("RGB", (100, 120), (level,) * 3).save(folder / f"{number}.png")
        lines.append(f"{number}.png,{curve(level / 255)},val")
    (folder / "labels.csv").write_text("\n".join(lines))
    return load_manifest(folder / "labels.csv")


def logistic(x):
    return 0.1 + 0.7 / (1 + math.exp(-(x - 0.4) / 0.1))


def test_the_mapping_brings_raw_scores_to_the_labels(teacher, folder, tmp_path):
    known = held_out(tmp_path / "known", logistic)
    mapping = fit_mapping(teacher, known, views=2)
    b1, b2, b3, b4 = mapping.logistic
    assert (b1, b2, b3, b4) == pytest.approx((0.8, 0.1, 0.4, 0.1), abs=1e-3)
    labels = list(label(teacher, load_manifest(folder), faces="whole", mapping=mapping))
    assert [one.score for one in labels] == pytest.approx([logistic(one.raw) for one in labels])
    steep = FittedCurve(None, (10.0, -3.0))
    labels = list(label(teacher, load_manifest(folder), faces="whole", mapping=steep))
    assert labels[0].score == 0.0 and labels[3].score == 1.0
    assert labels[3].raw == pytest.approx(pixels(labels[3].path).mean() / 255, abs=1e-6)


def test_a_mapping_that_means_nothing_is_refused(teacher, tmp_path):
    few = held_out(tmp_path / "few", logistic, 5)
    assert fit_mapping(teacher, few)([0.2]) == pytest.approx(logistic(0.2), abs=0.02)
    few.paths[0].write_bytes(b"no picture")
    with pytest.raises(UsageError, match=r"4 of 5 labelled pictures have a score; .* needs 5"):
        fit_mapping(teacher, few)
    with pytest.raises(UsageError, match="do not rise with the scores of spy"):
        fit_mapping(teacher, held_out(tmp_path / "falling", lambda x: 1 - x))
    with pytest.raises(UsageError, match="do not rise"):
        fit_mapping(teacher, held_out(tmp_path / "flat", lambda x: 0.5))
    with pytest.raises(UsageError, match="a folder of pictures, which have no score"):
        fit_mapping(teacher, listed(*few.paths))


# the table


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_the_table_is_a_manifest(teacher, folder, tmp_path, suffix):
    out = tmp_path / "deep" / f"labels{suffix}"
    out.parent.mkdir()
    counts = label_into(out, teacher, load_manifest(folder), faces="whole", views=3)
    assert counts == {"ok": 4}
    labels = list(label(teacher, load_manifest(folder), faces="whole", views=3))
    read = load_manifest(out)
    assert [path.resolve() for path in read.paths] == [one.path.resolve() for one in labels]
    assert read.scores.tolist() == [round(one.score, 6) for one in labels]
    for name in ("raw", "spread", "weight"):
        expected = [round(getattr(one, name), 6) for one in labels]
        assert list(map(float, read.group(name))) == expected
    assert read.group("scorer") == ("spy",) * 4 and read.group("status") == ("ok",) * 4
    again, weights = load_labels(out)
    assert again.paths == read.paths and again.scores.tolist() == read.scores.tolist()
    assert weights.tolist() == list(map(float, read.group("weight"))) and min(weights) < 1
    assert again.groups["spread"] == read.groups["spread"]
    assert sorted(file.name for file in out.parent.iterdir()) == [
        out.name,
        out.name + ".settings.json",
    ]


def test_csv_is_plain_for_other_tools(teacher, tmp_path):
    Image.new("RGB", (100, 120), (51, 51, 51)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"")
    label_into(tmp_path / "t.csv", teacher, load_manifest(tmp_path), faces="whole")
    assert (tmp_path / "t.csv").read_text() == (
        "image,status,score,raw,spread,weight,scorer,message\n"
        "a.png,ok,0.2,0.2,0.0,1.0,spy,\n"
        "b.png,unreadable,,,,,spy,the file is empty\n"
    )


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_pictures_without_a_label_are_left_out_when_it_is_loaded(teacher, folder, suffix):
    (folder / "01.png").write_bytes(b"no picture")
    out = folder / f"t{suffix}"
    assert label_into(out, teacher, load_manifest(folder), faces="whole") == {
        "ok": 3,
        "unreadable": 1,
    }
    manifest, weights = load_labels(out)
    assert [path.name for path in manifest.paths] == ["00.png", "02.png", "03.png"]
    assert np.isfinite(manifest.scores).all() and weights.tolist() == [1.0] * 3
    only = folder / f"only{suffix}"
    label_into(only, teacher, listed(folder / "01.png"), faces="whole")
    with pytest.raises(UsageError, match="none of its pictures has a label"):
        load_labels(only)


def test_names_resolve_from_where_the_table_lies(teacher, folder, tmp_path, monkeypatch):
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real" / "deep")
    odd = folder / 'odd, "quoted"\nnew line\rreturn ä.png'
    (folder / "00.png").rename(odd)
    monkeypatch.chdir(tmp_path)
    manifest = load_manifest("pictures")
    for out in ("t.csv", "link/t.csv", "link/t.parquet", tmp_path / "pictures" / "t.csv"):
        label_into(out, teacher, manifest, faces="whole")
        read = load_manifest(out)
        assert [path.resolve() for path in read.paths] == [p.resolve() for p in manifest.paths]
    with (tmp_path / "t.csv").open(newline="") as file:
        assert next(csv.DictReader(file))["image"] == "pictures/01.png"
    with (tmp_path / "link" / "t.csv").open(newline="") as file:
        assert next(csv.DictReader(file))["image"] == "../../pictures/01.png"


def test_names_that_are_not_utf8(teacher, folder):
    bad = folder / os.fsdecode(b"caf\xe9.png")
    try:
        (folder / "00.png").rename(bad)
    except OSError:
        pytest.skip("this file system has no such names")
    manifest = load_manifest(folder)
    label_into(folder / "t.csv", teacher, manifest, faces="whole")
    assert set(load_manifest(folder / "t.csv").paths) == set(manifest.paths)
    label_into(folder / "t.parquet", teacher, manifest, faces="whole")
    assert set(load_manifest(folder / "t.parquet").paths) == set(manifest.paths)
    assert set(load_labels(folder / "t.parquet")[0].paths) == set(manifest.paths)
    found = label_into(folder / "t.parquet", teacher, manifest, faces="whole", resume=True)
    assert not found


def test_a_table_for_spreadsheets_is_a_manifest_all_the_same(teacher, folder):
    (folder / "00.png").rename(folder / "=1+1.png")
    manifest = load_manifest(folder)
    label_into(folder / "t.csv", teacher, manifest, faces="whole", excel=True)
    text = (folder / "t.csv").read_text("utf-8")
    assert text.startswith("\ufeffimage,") and "\nfile:%3D1%2B1.png," in text
    assert set(load_manifest(folder / "t.csv").paths) == set(manifest.paths)
    assert not label_into(folder / "t.csv", teacher, manifest, faces="whole", excel=True,
                          resume=True)  # fmt: skip


# stopped and taken up again


def stop_after(count):
    """Ends a run after some rows, as Ctrl-C would; the table is not finished."""

    def progress(labels, pictures):
        for _ in range(count):
            yield next(labels)
        raise KeyboardInterrupt

    return progress


def stopped(out, count, *words, **options):
    with pytest.raises(KeyboardInterrupt):
        label_into(out, *words, faces="whole", progress=stop_after(count), **options)
    return out.with_name(out.name + ".partial.jsonl")


def test_whatever_byte_a_killed_run_was_cut_at_resuming_gives_the_same_table(teacher, folder):
    (folder / "03.png").write_bytes(b"")
    (folder / "00.png").rename(folder / 'ä, "odd"\n.png')
    manifest, whole, out = load_manifest(folder), folder / "whole.csv", folder / "cut.csv"
    label_into(whole, teacher, manifest, faces="whole")
    journal = stopped(out, 4, teacher, manifest)
    lines = journal.read_bytes()
    assert lines.count(b"\n") == 4 and not out.exists()
    ends = [place + 1 for place, byte in enumerate(lines) if byte == ord("\n")]
    near = {end + step for end in ends for step in (-2, -1, 0, 1, 2)}
    for length in sorted({*range(0, len(lines), 20), *near} - {len(lines) + 1, len(lines) + 2}):
        out.unlink(missing_ok=True)
        journal.write_bytes(lines[:length])
        counts = label_into(out, teacher, manifest, faces="whole", resume=True)
        again = b"unreadable" in lines[:length][: lines[:length].rfind(b"\n") + 1]
        assert counts.total() == 4 - lines[:length].count(b"\n") + again, length
        rows = sorted(out.read_bytes().splitlines(keepends=True))
        assert rows == sorted(whole.read_bytes().splitlines(keepends=True)), length
        assert not journal.exists()


@pytest.mark.parametrize("how", ["resume", "overwrite"])
def test_a_table_has_one_writer(teacher, folder, how):
    manifest, out = load_manifest(folder), folder / "t.csv"

    def meanwhile(labels, pictures):
        yield next(labels)
        with pytest.raises(UsageError, match="another run is writing"):
            label_into(out, teacher, manifest, faces="whole", **{how: True})
        yield from labels

    assert label_into(out, teacher, manifest, faces="whole", progress=meanwhile) == {"ok": 4}
    assert len(load_manifest(out)) == 4


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_kill_between_the_last_steps_does_no_harm(teacher, folder, suffix):
    manifest, out = load_manifest(folder), folder / f"t{suffix}"
    journal = stopped(out, 4, teacher, manifest)
    lines = journal.read_bytes()
    out.with_name(out.name + ".new").write_bytes(b"half a ta")  # killed while the table is written
    assert not label_into(out, teacher, manifest, faces="whole", resume=True)
    finished = load_manifest(out)
    journal.write_bytes(lines)  # killed before the journal is removed
    assert not label_into(out, teacher, manifest, faces="whole", resume=True)
    assert load_manifest(out).paths == finished.paths and len(finished) == 4
    out.unlink()  # killed before the first row: there are only the settings
    assert label_into(out, teacher, manifest, faces="whole") == {"ok": 4}


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_finished_table_grows_by_new_pictures_only(teacher, folder, suffix):
    manifest, out = load_manifest(folder), folder / f"t{suffix}"
    (folder / "01.png").write_bytes(b"no picture")
    label_into(out, teacher, manifest.take([0, 1]), faces="whole")
    teacher.function.seen.clear()
    assert label_into(out, teacher, manifest, faces="whole", resume=True) == {
        "ok": 2,
        "unreadable": 1,
    }
    assert len(teacher.function.seen) == 2
    fresh = folder / f"fresh{suffix}"
    label_into(fresh, teacher, manifest, faces="whole")
    assert list(label_table._read(out)) == list(label_table._read(fresh))
    assert [row["status"] for row in label_table._read(out)] == ["ok", "unreadable", "ok", "ok"]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_passing_failure_is_tried_again(teacher, folder, suffix):
    """A share that was away: the row of a picture is replaced, that of another list stays."""
    manifest, out = load_manifest(folder), folder / f"t{suffix}"
    sound = (folder / "01.png").read_bytes()
    for name in ("01.png", "02.png"):
        (folder / name).write_bytes(b"no picture")
    assert label_into(out, teacher, manifest, faces="whole") == {"ok": 2, "unreadable": 2}
    assert label_table.count_failed(out) == 2
    (folder / "01.png").write_bytes(sound)
    some = manifest.take([0, 1])
    assert label_into(out, teacher, some, faces="whole", resume=True) == {"ok": 1}
    statuses = {row["image"]: row["status"] for row in label_table._read(out)}
    assert statuses == {"00.png": "ok", "02.png": "unreadable", "03.png": "ok", "01.png": "ok"}
    assert len(list(label_table._read(out))) == 4


def test_a_resumed_table_keeps_its_mapping(teacher, folder, tmp_path, caplog):
    caplog.set_level(logging.INFO, logger="facegauge")
    known, manifest = held_out(tmp_path / "known", logistic), load_manifest(folder)
    whole, out = tmp_path / "whole.csv", tmp_path / "t.csv"
    label_into(whole, teacher, manifest, faces="whole", held_out=known)
    assert caplog.messages == [
        "score to label: a logistic, fitted to 12 pictures of known/labels.csv, split val"
    ]
    stopped(out, 2, teacher, manifest, held_out=known)
    changed = held_out(tmp_path / "known", lambda x: x / 2)
    label_into(out, teacher, manifest, faces="whole", held_out=changed, resume=True)
    assert out.read_bytes() == whole.read_bytes()
    notes = json.loads((tmp_path / "t.csv.settings.json").read_text())
    assert notes["mapping"]["logistic"] == pytest.approx([0.8, 0.1, 0.4, 0.1], abs=1e-3)
    with pytest.raises(UsageError, match=r"labels was '12 pictures of known/.*', is None"):
        label_into(out, teacher, manifest, faces="whole", resume=True)


def test_other_settings_and_damage_are_refused(teacher, folder):
    manifest, out = load_manifest(folder), folder / "t.csv"
    journal = stopped(out, 2, teacher, manifest)
    with pytest.raises(UsageError, match=r"exists: resume it \(--resume\) or replace it"):
        label_into(out, teacher, manifest, faces="whole")
    with pytest.raises(UsageError, match="faces was 'whole', is 'auto'; views was 1, is 2;"):
        label_into(out, teacher, manifest, faces="auto", views=2, resume=True)
    other = ToyPredictor("spy", "1" * 64, PLAIN, teacher.function)
    with pytest.raises(UsageError, match="sha256 was '000"):
        label_into(out, other, manifest, faces="whole", resume=True)
    kept = journal.read_bytes()
    journal.write_bytes(b"nonsense\n" + kept)
    with pytest.raises(UsageError, match=r"t\.csv\.partial\.jsonl is damaged.*--overwrite"):
        label_into(out, teacher, manifest, faces="whole", resume=True)
    (folder / "t.csv.settings.json").unlink()
    with pytest.raises(UsageError, match=r"t\.csv\.settings\.json.*missing or damaged"):
        label_into(out, teacher, manifest, faces="whole", resume=True)
    assert label_into(out, teacher, manifest, faces="whole", overwrite=True) == {"ok": 4}
    assert len(load_manifest(out)) == 4


def test_a_table_that_was_moved_away_from_its_pictures_is_refused(teacher, folder):
    manifest, out = load_manifest(folder), folder / "t.csv"
    label_into(out, teacher, manifest, faces="whole")
    moved = folder / "deeper"
    moved.mkdir()
    for name in ("t.csv", "t.csv.settings.json"):
        (folder / name).rename(moved / name)
    before = (moved / "t.csv").read_bytes()
    with pytest.raises(UsageError, match=r"not where it has them, such as 00\.png; was it moved\?"):
        label_into(moved / "t.csv", teacher, manifest, faces="whole", resume=True)
    assert (moved / "t.csv").read_bytes() == before


def test_a_table_can_go_on_with_none_of_its_first_pictures(teacher, folder):
    manifest, out = load_manifest(folder), folder / "t.csv"
    label_into(out, teacher, manifest.take([0, 1]), faces="whole")
    label_into(out, teacher, manifest.take([2, 3]), faces="whole", resume=True)
    assert len(load_manifest(out)) == 4


def test_wrong_places_and_files(teacher, folder, tmp_path):
    with pytest.raises(UsageError, match=r"to end in \.csv or \.parquet"):
        label_into(tmp_path / "t.jsonl", teacher, load_manifest(folder))
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"cannot make the folder .*file"):
        label_into(tmp_path / "file" / "t.csv", teacher, load_manifest(folder))
    with pytest.raises(UsageError, match="cannot read"):
        load_labels(tmp_path / "none.csv")
    for text in ("a,b\n1,2\n", ",".join(COLUMNS.names) + "\na.png,ok,high,,,,,\n"):
        (tmp_path / "bad.csv").write_text(text)
        with pytest.raises(UsageError, match="not a table of labels"):
            load_labels(tmp_path / "bad.csv")
