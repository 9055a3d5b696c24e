"""Private mode: scores in the browser, as in Python, and no picture leaves it."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import shutil
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from PIL import Image

from browser import PATIENCE, Browser, Tab
from commands import run
from facegauge import zoo
from facegauge.errors import FacegaugeError
from facegauge.scorer import Scorer
from facegauge.serve import web_runtime
from facegauge.serve.page_files import CONFIG, INDEX, page_files
from made_pictures import made_pictures
from serving import Server, serving

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.jpg"))
DONE = (
    "() => /picture.*(all scored|without a score)/.test("
    "document.getElementById('progress').textContent)"
)
ONE_CPU = "Object.defineProperty(navigator, 'hardwareConcurrency', { get: () => 1 })"
Results = dict[str, list[dict[str, str]]]

needs_runtime = pytest.mark.skipif(
    web_runtime.find() is None, reason="run: facegauge serve --get-web-runtime"
)
pytestmark = pytest.mark.skipif(zoo.DEFAULT not in zoo.names(), reason="there is no scorer")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("service"), "--workers", "1") as running:
        yield running


@contextmanager
def private(browser: Browser, server: Server, script: str = ONE_CPU) -> Iterator[Tab]:
    """The page in private mode; it fails if anything of a picture is sent."""
    with browser.open(f"http://127.0.0.1:{server.port}/", script=script) as tab:
        tab.page.get_by_label("In this browser").check()
        yield tab
        for request in tab.requests:
            assert request.method == "GET" and request.post_data_buffer is None, request.url
            assert "/v1/" not in request.url and "?" not in request.url


def scored(tab: Tab, pictures: Mapping[str, bytes], patience: float = 5 * PATIENCE) -> Results:
    """The rows of the page's table, by picture."""
    files = [
        {"name": name, "mimeType": "image/" + name.rpartition(".")[2], "buffer": data}
        for name, data in pictures.items()
    ]
    tab.page.set_input_files("#files", files)
    tab.until(lambda: tab.page.evaluate(DONE), "the scores", patience)
    assert not tab.page.is_visible("#problem"), tab.page.inner_text("#problem")
    with tab.page.expect_download() as download:
        tab.page.get_by_role("button", name="Save as CSV").click()
    rows: Results = {}
    text = Path(download.value.path()).read_text(encoding="utf-8-sig")
    for row in csv.DictReader(io.StringIO(text)):
        rows.setdefault(row["path"], []).append(row)
    return rows


def differences(rows: Results, scorer: Scorer, pictures: Mapping[str, bytes]) -> dict[str, float]:
    """The largest difference of a score for each picture; 1 where other faces have one."""
    found = {}
    for name, data in pictures.items():
        expected = scorer.score((name, data))
        assert rows[name][0]["status"] == expected.status.value, name
        faces = [row for row in rows[name] if row["score"]]
        if len(faces) != len(expected.faces):
            found[name] = 1.0
        elif faces:
            pairs = zip(faces, expected.faces, strict=True)
            found[name] = max(abs(float(row["score"]) - face.score) for row, face in pairs)
    return found


def examples() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in EXAMPLES}


@pytest.mark.slow
@needs_runtime
def test_the_examples_have_the_scores_of_python(browser: Browser, server: Server) -> None:
    pictures = examples()
    scorer = Scorer()
    with private(browser, server) as tab:
        rows = scored(tab, pictures)
        assert max(differences(rows, scorer, pictures).values()) <= 0.002
        for name, data in pictures.items():
            (row,), (expected,) = rows[name], scorer.score((name, data)).rows()
            for column in ("low", "high", "left", "top", "right", "bottom", "confidence"):
                assert float(row[column]) == pytest.approx(expected[column], abs=0.05), column
            assert float(row["percentile"]) == pytest.approx(expected["percentile"], abs=1)
            assert (row["band"], row["notes"]) == (expected["band"], expected["notes"] or "")
        tab.page.context.set_offline(True)  # and without a network
        tab.page.get_by_role("button", name="Remove all").click()
        first = EXAMPLES[0]
        again = scored(tab, {first.name: first.read_bytes()})
        assert again[first.name] == rows[first.name]
        tab.page.locator(".open").first.click()
        tab.page.get_by_role("button", name="Heat map").click()
        values = scorer.heat_map(first).values
        legend = tab.page.inner_text("#detail-facts")
        assert f"{values.min():.2f}" in legend and f"{values.max():.2f}" in legend


@needs_runtime
def test_formats_that_the_browser_lacks_are_told(browser: Browser, server: Server) -> None:
    """Before a picture fails, and when it does; a format that it has is only damaged."""
    file = io.BytesIO()
    Image.new("L", (40, 40)).save(file, "TIFF")
    pictures = {
        "a.tif": file.getvalue(),
        "b.heic": b"\0\0\0\x18ftypheic" + bytes(99),
        "c.jpg": b"\xff\xd8\xff" + bytes(99),
        "d.png": b"",
        "e.gif": b"no picture",
    }
    with private(browser, server) as tab:
        note = tab.page.locator("#formats-note")
        told = tab.until(note.inner_text, "the formats")
        assert re.match(
            r"This browser opens JPEG, PNG, WebP, GIF, BMP and AVIF, not HEIC, TIFF ", told
        )
        messages = [rows[0]["message"] for rows in scored(tab, pictures).values()]
        assert messages == [
            "this browser does not open TIFF files: save it as JPEG or PNG",
            "this browser does not open HEIC files: save it as JPEG or PNG",
            "the JPEG file is damaged",
            "the file is empty",
            "the file is not a picture of a known format, or is damaged",
        ]
        tab.page.get_by_label("On the server").check()
        assert note.is_hidden()
        tab.page.get_by_label("In this browser").check()


@needs_runtime
def test_a_page_opened_as_a_file_says_what_to_do(browser: Browser, tmp_path: Path) -> None:
    assert run("serve", "--export-static", tmp_path / "site").exit_code == 0
    page = (tmp_path / "site" / INDEX).as_uri()
    with (
        pytest.raises(AssertionError, match=r"page/main\.js"),  # browsers load no modules there
        browser.open(page) as tab,
    ):
        told = tab.page.locator("#dead")
        tab.until(lambda: (told.bounding_box() or {"height": 0})["height"] > 20, "the words")
        assert "python -m http.server" in told.inner_text()


@needs_runtime
@pytest.mark.slow
def test_it_uses_threads_where_the_page_is_isolated(browser: Browser, server: Server) -> None:
    pictures = {EXAMPLES[0].name: EXAMPLES[0].read_bytes()}
    with private(browser, server, ONE_CPU.replace("1", "2")) as tab:
        assert tab.page.evaluate("() => self.crossOriginIsolated")
        rows = scored(tab, pictures)
        glue = [request.url for request in tab.requests if web_runtime.GLUE in request.url]
        assert len(glue) > 1  # once for the runtime, once for its thread
    assert max(differences(rows, Scorer(), pictures).values()) <= 0.002


@needs_runtime
@pytest.mark.slow
def test_a_hundred_pictures_have_the_scores_of_python(browser: Browser, server: Server) -> None:
    pictures = made_pictures()
    assert len(pictures) == 100
    with private(browser, server) as tab:
        rows = scored(tab, pictures, 30 * PATIENCE)
    scorer = Scorer()
    found = differences(rows, scorer, pictures)
    assert max(found.values()) <= 0.02, found
    assert np.quantile(list(found.values()), 0.95) <= 0.01, found
    notes = {
        name: [" ".join(face.notes) for face in scorer.score((name, data)).faces]
        for name, data in pictures.items()
    }
    other = [
        name
        for name, words in notes.items()
        if words and [row["notes"] for row in rows[name]] != words
    ]
    assert len(other) <= 2, other  # at the edge of a threshold


@needs_runtime
@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in zoo.names() if name != zoo.DEFAULT])
def test_every_shipped_scorer_runs(name: str, browser: Browser, tmp_path: Path) -> None:
    pictures = dict(list(examples().items())[:2])
    with (
        serving(tmp_path, "--workers", "1", "--scorer", name) as server,
        private(browser, server) as tab,
    ):
        rows = scored(tab, pictures)
    assert max(differences(rows, Scorer(name), pictures).values()) <= 0.002


@needs_runtime
@pytest.mark.slow
def test_networks_are_kept_by_their_hash_and_need_the_key(tmp_path: Path) -> None:
    with serving(tmp_path, "--workers", "1", FACEGAUGE_API_KEY="sesame") as server:
        config = json.loads(server.get(f"/{CONFIG}").body)["private"]
        for part in ("network", "detector"):
            url = "/" + config[part]["url"]
            assert server.get(url).status == 401
            answer = server.get(url, Authorization="Bearer sesame")
            assert hashlib.sha256(answer.body).hexdigest() == config[part]["sha256"]
            assert config[part]["sha256"] in url and "immutable" in answer.headers["cache-control"]
        wasm = server.get("/" + config["runtime"]["wasm"]["url"], **{"Accept-Encoding": "gzip"})
        assert wasm.headers["content-type"] == "application/wasm"
        assert len(wasm.body) < 4_500_000


@needs_runtime
@pytest.mark.slow
def test_a_folder_of_files_is_the_whole_page(browser: Browser, tmp_path: Path) -> None:
    folder = tmp_path / "site" / "faces"
    assert run("serve", "--export-static", folder).exit_code == 0
    again = run("serve", "--export-static", folder)
    assert again.exit_code == 2 and "new or empty folder" in again.stderr
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as site:
        Thread(target=site.serve_forever, daemon=True).start()
        try:
            url = f"http://127.0.0.1:{site.server_port}/faces/"
            with browser.open(url, script=ONE_CPU) as tab:
                assert not tab.page.get_by_label("On the server").is_visible()
                pictures = {EXAMPLES[0].name: EXAMPLES[0].read_bytes()}
                rows = scored(tab, pictures)
                assert max(differences(rows, Scorer(), pictures).values()) <= 0.002
                assert {request.method for request in tab.requests} == {"GET"}
        finally:
            site.shutdown()


@pytest.fixture
def no_runtime(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder for the user's data."""
    monkeypatch.setattr(web_runtime, "_data_folder", lambda: tmp_path / "data")
    return tmp_path / "data" / "facegauge" / f"onnxruntime-web-{web_runtime.VERSION}"


def test_without_the_runtime_the_page_says_what_to_do(no_runtime: Path, tmp_path: Path) -> None:
    files = page_files(Scorer())
    config = json.loads(files[CONFIG].read())
    assert config["private"] is None and "--get-web-runtime" in config["private_hint"]
    assert INDEX in files and not [name for name in files if name.startswith("models/")]
    refused = run("serve", "--export-static", tmp_path / "site")
    assert refused.exit_code == 2 and "--get-web-runtime" in refused.stderr


def test_without_npm_it_says_which_files_to_put_where(
    no_runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    told = run("serve", "--get-web-runtime")
    assert told.exit_code == 2 and told.stderr.count("\n") == 1
    assert all(part in told.stderr for part in (*web_runtime.SHA256, str(no_runtime), "1.30.0"))


FakeNpm = Callable[[Mapping[str, bytes] | None], None]


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_runtime: Path) -> FakeNpm:
    """npm, which packs some files, or fails; the files expected are `CONTENT`."""
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in CONTENT.items()}
    monkeypatch.setattr(web_runtime, "SHA256", sums)
    tool = tmp_path / "npm"
    monkeypatch.setattr(shutil, "which", lambda name: str(tool))

    def make(files: Mapping[str, bytes] | None) -> None:
        made = tmp_path / "made.tgz"
        with tarfile.open(made, "w:gz") as archive:
            for name, data in (files or {}).items():
                member = tarfile.TarInfo(f"package/dist/{name}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
        act = f'cp "{made}" "$4/x.tgz"' if files is not None else "echo no network >&2; exit 1"
        tool.write_text(f"#!/bin/sh\n{act}\n", encoding="utf-8")
        tool.chmod(0o755)

    return make


CONTENT = {name: name.encode() for name in web_runtime.SHA256}


def test_the_runtime_is_taken_from_npm_once(npm: FakeNpm, no_runtime: Path) -> None:
    npm({**CONTENT, "more.mjs": b"not needed"})
    assert web_runtime.find() is None
    assert web_runtime.get() == no_runtime
    assert web_runtime.find() == {name: no_runtime / name for name in CONTENT}
    assert sorted(path.name for path in no_runtime.iterdir()) == sorted(CONTENT)
    npm(None)
    assert web_runtime.get() == no_runtime  # npm is not asked again
    (no_runtime / web_runtime.WASM).write_bytes(b"damaged")
    assert web_runtime.find() is None


@pytest.mark.parametrize(
    ("files", "why"),
    [
        (None, "failed: no network"),
        ({**CONTENT, web_runtime.GLUE: b"changed"}, "it was not kept"),
        ({web_runtime.GLUE: CONTENT[web_runtime.GLUE]}, "cannot be read"),
    ],
)
def test_a_wrong_runtime_is_not_kept(
    files: Mapping[str, bytes] | None, why: str, npm: FakeNpm, no_runtime: Path
) -> None:
    npm(files)
    with pytest.raises(FacegaugeError, match=why):
        web_runtime.get()
    assert not no_runtime.exists()
