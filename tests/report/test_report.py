"""The report: what it says, what it escapes, how large it is, and how a browser opens it."""

from __future__ import annotations

import csv
import re
import time
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from browser import Browser
from commands import run
from facegauge.calibration import band
from facegauge.errors import MissingExtra
from facegauge.ratings import COLUMNS as RATED
from facegauge.ratings import as_columns
from facegauge.results import COLUMNS, Box, Face, FaceScore, ImageScore, Status
from facegauge.tables.scores import open_table
from toys import noise_picture, write_manifest

pytest.importorskip("matplotlib")

from facegauge.report.contents import read_contents
from facegauge.report.page import write_report

Write = Callable[..., Path]
STRANGE = "<script>alert(1)<b>&'\".png"
WORDS = "<i onclick=alert(1)>"


def row(path: Path | str, score: float, box: Box | None = None, **factors: float) -> ImageScore:
    face = box and Face(box, 0.9)
    cells = as_columns(factors) if factors else {}
    notes = ("tiny",) if score < 0.2 else ()
    found = FaceScore(score, 0.0, 1.0, 100 * score, band(score), face, cells, notes)
    return ImageScore(str(path), Status.OK, (found,))


def write_table(folder: Path) -> Path:
    """12 faces, of which one has no picture, with factors; two pictures without a face."""
    path = folder / "scores.csv"
    with open_table(path, {"scorer": "toy", "version": "1.0"}, schema=COLUMNS + RATED) as rows:
        for number in range(11):
            picture = folder / f"{number}.png"
            noise_picture(number).save(picture)
            sharp = {"sharpness": 0.2 if number < 3 else 0.5, "noise": 1.0}
            rows.write(row(picture, 0.05 + number / 12, Box(4, 4, 30, 40), **sharp))
        rows.write(row(folder / STRANGE, 0.02))
        rows.write(ImageScore("none.png", Status.NO_FACE, (), WORDS))
        rows.write(ImageScore("bad.png", Status.UNREADABLE, (), "damaged"))
    return path


def write_labels(folder: Path) -> Path:
    rows: list[dict[str, object]] = [
        {
            "image": f"{number}.png",
            "score": round(number / 11, 3),
            "site": WORDS if number % 2 else "b",
        }
        for number in range(11)
    ]
    for one in rows:
        one["image"] = str(folder / str(one["image"]))
    return write_manifest(folder / "labels.csv", rows)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write_table(tmp_path)


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    return write_labels(tmp_path)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with all sections."""
    folder = tmp_path_factory.mktemp("report")
    output = folder / "report.html"
    write_report(write_table(folder), output, data=write_labels(folder), by="site")
    return output


def test_what_a_report_says(table: Path, labels: Path) -> None:
    found = read_contents(table, data=labels, by=["site"])
    assert found.mean.n == 12 and sum(found.bands.values()) == 12
    assert [face.score for face in found.worst[:2]] == [0.02, 0.05]
    assert found.best[0].score == pytest.approx(0.05 + 10 / 12, abs=1e-6)
    assert found.failures == {"no_face": 1, "unreadable": 1}
    assert ("no_face", WORDS, 1) in found.reasons
    sharpness = found.problems[0]
    assert sharpness.name == "sharpness" and "focus on the eyes" in sharpness.advice
    assert (len(sharpness.faces), sharpness.measured) == (3, 11)
    assert sharpness.mean == pytest.approx(0.05 + 1 / 12, abs=1e-5)
    assert sharpness.others == pytest.approx(0.05 + 6.5 / 12, abs=1e-5)
    assert found.notes == {"tiny": 3}
    agreement = found.agreement
    assert agreement is not None and agreement.figures["SRCC"].value == 1.0
    error = np.mean([0.05 + n / 12 - round(n / 11, 3) for n in range(11)])
    assert agreement.figures["mean error"].value == pytest.approx(error, abs=1e-5)
    assert sum(gap.n for gap in agreement.by_range) == 11 and agreement.curve is not None
    assert {one.name: one.n for one in found.groups["site"]} == {WORDS: 5, "b": 6}


def test_the_page_has_all_of_it_escaped_and_fetches_nothing(
    table: Path, labels: Path, tmp_path: Path
) -> None:
    page, figures = tmp_path / "report.html", tmp_path / "figures"
    arguments = ["report", table, "-o", page, "--data", labels, "--by", "site"]
    done = run(*arguments, "--figures", figures)
    assert done.exit_code == 0 and "14 pictures, 12 faces" in done.stdout
    text = page.read_text(encoding="utf-8")
    assert "<script" not in text and "<i onclick" not in text
    assert (
        "&lt;script&gt;alert(1)&lt;b&gt;&amp;&#39;&#34;.png" in text
        and "&lt;i onclick=alert(1)&gt;" in text
    )
    # namespaces are names; nothing else has an address
    addresses = re.findall(r'(?:src|href|url|action)\s*[=(]\s*["\']?([^"\'\s>)]+)', text)
    assert len(addresses) > 20
    assert [one for one in addresses if not one.startswith(("#", "data:image/"))] == []
    assert text.count("data:image/jpeg;base64,") == 11 + 3 and text.count("no picture") == 1
    for title in ("Worst faces", "Problems", "Failures", "Groups", "Labels"):
        assert re.search(rf"<h2 [^>]*>{title}</h2>", text)
    for svg in re.findall(r"<svg .*?</svg>", text, re.DOTALL):
        ElementTree.fromstring(svg)  # well-formed
    assert "#010203" not in text and "var(--ink)" in text
    made = sorted(file.name for file in figures.iterdir())
    names = ("errors", "groups-1", "labels", "problems", "reference", "scores")
    assert made == [f"{name}.{kind}" for name in names for kind in ("pdf", "svg")]
    assert (figures / "labels.pdf").read_bytes().startswith(b"%PDF")
    first = page.read_bytes()
    page.unlink()
    refused = run(*arguments, "--figures", figures)
    assert refused.exit_code == 2 and ".pdf exists: replace it" in refused.stderr
    assert not page.exists()
    arguments.append("--overwrite")
    assert run(*arguments, "--figures", figures).exit_code == 0
    assert page.read_bytes() == first  # the same again
    assert run(*arguments, "--no-thumbnails").exit_code == 0
    assert "data:image" not in page.read_text(encoding="utf-8").replace("img-src data:", "")


def test_sections_without_data_are_left_out(table: Path, tmp_path: Path) -> None:
    rows = list(csv.DictReader(table.read_text().splitlines()))
    kept = [one for one in rows if one["status"] == "ok"]
    names = [name for name in rows[0] if name not in RATED]
    write_manifest(tmp_path / "t.csv", [{n: one[n] for n in names} for one in kept])
    write_report(tmp_path / "t.csv", tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    for absent in ("Problems by factor", "Failures", "Groups", "Labels"):
        assert absent not in text
    assert "Faces unlike those" in text


def test_wrong_use_is_one_line(table: Path, labels: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("image,score\nx.png,0.5\n")
    unlabelled = tmp_path / "unlabelled.csv"
    unlabelled.write_text(f"image,site\n{tmp_path / '1.png'},b\n")
    outside = tmp_path / "outside.csv"
    outside.write_text(f"image,score\n{tmp_path / '1.png'},7\n")
    page = tmp_path / "r.html"
    for arguments, words in (
        ([table, "-o", page, "--by", "site"], "expected --data LIST beside --by"),
        ([table, "-o", page, "--data", labels, "--by", "place"], "has no column place"),
        ([table, "-o", page, "--data", unlabelled, "--by", "site"], "has one group, b"),
        ([table, "-o", page, "--data", unlabelled], "has no column score"),
        ([table, "-o", page, "--data", other], "no row of"),
        ([table, "-o", page, "--data", outside], "expected a score from 0 to 1, got"),
        ([labels, "-o", page], "is not a score table"),
        ([tmp_path / "none.csv", "-o", page], "there is no table at"),
        ([table, "-o", labels / "r.html"], "cannot make the folder"),
        ([table, "-o", tmp_path], "is a folder; expected the name of a file"),
    ):
        done = run("report", *arguments)
        assert done.exit_code == 2 and words in done.stderr, (words, done.stderr)
        assert done.stderr.count("\n") == 1 and not page.exists()


def test_a_missing_extra_is_named(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"\[report\]"):
        write_report(table, table.with_name("r.html"))


@pytest.mark.slow
def test_ten_thousand_rows_take_seconds_and_megabytes(tmp_path: Path) -> None:
    """CPU time; on a machine with two cores it took 6 seconds."""
    rng = np.random.default_rng(0)
    for number in range(240):
        noise_picture(number, (640, 480)).save(tmp_path / f"{number}.jpg")
    table, rows = tmp_path / "scores.csv", []
    with open_table(table, schema=COLUMNS + RATED) as written:
        for number in range(10_000):
            score = float(rng.uniform(0.05, 0.95))
            path = tmp_path / f"{number}.jpg"
            box = Box(200, 100, 400, 380)
            factors = {"sharpness": float(rng.uniform(0.2, 0.5)), "noise": float(rng.uniform(0, 9))}
            written.write(row(path, score, box, **factors))
            label = float(np.clip(score + rng.normal(0, 0.1), 0, 1))
            rows.append({"image": str(path), "score": label, "group": f"g{number % 6}"})
    data = write_manifest(tmp_path / "labels.csv", rows)
    page = tmp_path / "report.html"
    start = time.process_time()
    found = write_report(table, page, data=data, by="group")
    assert time.process_time() - start < 20
    assert page.stat().st_size < 10_000_000
    assert len(found.table.faces) == 10_000 and len(found.shown) <= 400


@pytest.mark.slow
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("look", ["light screen", "dark screen", "dark print"])
def test_a_browser_opens_it_without_a_complaint(
    browser: Browser, page: Path, width: int, look: str
) -> None:
    scheme, media = look.split()
    with browser.open(page.as_uri(), width=width, color_scheme=scheme) as tab:
        tab.page.emulate_media(media=media)
        assert tab.serious_findings() == []
        assert [request.url for request in tab.requests if not request.url.startswith("data:")] == [
            page.as_uri()
        ]
        wide = tab.page.evaluate("() => document.documentElement.scrollWidth")
        assert wide <= width
        paper = tab.page.evaluate("() => getComputedStyle(document.body).backgroundColor")
        dark = scheme == "dark" and media == "screen"
        assert paper == ("rgb(20, 23, 26)" if dark else "rgb(255, 255, 255)")
        if media == "print":
            assert tab.page.pdf(format="A4").startswith(b"%PDF")


def test_what_has_no_partner_is_counted_and_named(table: Path, labels: Path) -> None:
    lines = labels.read_text().splitlines()
    labels.write_text("\n".join([*lines[:-2], "gone.png,0.5,b"]) + "\n")
    output = table.with_name("r.html")
    done = run("report", table, "-o", output, "--data", labels, "--by", "site")
    assert done.exit_code == 0
    assert "pictures of the list without a score: 1" in done.stdout
    assert "gone.png: no row in scores.csv" in done.stdout
    assert "rows without a picture in the list: 5" in done.stdout
    text = output.read_text(encoding="utf-8")
    assert "5 rows without a picture in the list" in text and "gone.png: no row in" in text
