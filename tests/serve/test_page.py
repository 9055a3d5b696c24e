"""The page in a browser: what people do with it, and what it never does."""

from __future__ import annotations

import base64
import csv
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from browser import PATIENCE, Browser, Tab
from facegauge import zoo
from facegauge.scorer import Scorer
from facegauge.serve.page_files import INDEX, POLICY, page_files
from serving import Server, serving

EXAMPLES = Path(__file__).parents[2] / "examples"
ASTRONAUT = EXAMPLES / "astronaut.jpg"
BLUR = EXAMPLES / "astronaut_blur.jpg"
DARK = EXAMPLES / "astronaut_dark.jpg"

pytestmark = pytest.mark.skipif(zoo.DEFAULT not in zoo.names(), reason="there is no scorer")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("service"), "--workers", "1") as running:
        yield running


@pytest.fixture
def visit(browser: Browser, server: Server) -> Callable[..., Any]:
    """Opens the page in a fresh profile."""
    return lambda **options: browser.open(f"http://127.0.0.1:{server.port}/", **options)


def wait(tab: Tab, patience: float = PATIENCE) -> None:
    """Until every picture has its result and its thumbnail."""

    def done() -> bool:
        return tab.page.evaluate(
            "() => /picture.*(all scored|without a score)/.test("
            "document.getElementById('progress').textContent)"
            " && [...document.querySelectorAll('.thumb')].every((one) => one.children.length)"
        )  # fmt: skip

    tab.until(done, "the scores", patience)
    tab.page.wait_for_timeout(100)  # until the cards are drawn


def add(tab: Tab, *pictures: Path | dict[str, Any]) -> None:
    files = [named(one.name, one) if isinstance(one, Path) else one for one in pictures]
    tab.page.set_input_files("#files", files)
    wait(tab)


def named(name: str, path: Path = ASTRONAUT) -> dict[str, Any]:
    return {"name": name, "mimeType": "image/jpeg", "buffer": path.read_bytes()}


def names(tab: Tab) -> list[str]:
    tab.page.wait_for_timeout(100)
    return tab.page.locator(".card .name").all_inner_texts()


def table(tab: Tab) -> list[dict[str, str]]:
    with tab.page.expect_download() as download:
        tab.page.get_by_role("button", name="Save as CSV").click()
    text = Path(download.value.path()).read_text(encoding="utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def test_pictures_get_the_scores_of_the_command_line(visit: Callable[..., Any]) -> None:
    with visit() as tab:
        add(tab, ASTRONAUT, BLUR)
        rows = table(tab)
        scorer = Scorer()
        for row, path in zip(rows, (ASTRONAUT, BLUR), strict=True):
            (expected,) = scorer.score(path).rows()
            assert {"path": path.name} | {
                name: type(value)(row[name]) if value is not None else row[name] or None
                for name, value in expected.items()
                if name != "path"
            } == expected | {"path": path.name}
        card = tab.page.locator(".card").first
        face = scorer.score(ASTRONAUT).faces[0]
        shown = f"{face.score:.2f} {face.band}, {face.low:.2f} to {face.high:.2f}"
        assert card.locator(".line").inner_text() == shown
        box, image = card.locator(".box").bounding_box(), card.locator("img").bounding_box()
        assert box and image and face.face
        assert (box["x"] - image["x"]) / image["width"] * 512 == pytest.approx(
            face.face.box.left, abs=2
        )


def test_a_face_shows_what_is_known_of_it(visit: Callable[..., Any]) -> None:
    with visit() as tab:
        add(tab, ASTRONAUT)
        tab.page.get_by_role("button", name="Look at astronaut.jpg").click()
        heat = tab.page.get_by_role("button", name="Heat map")
        heat.wait_for()
        facts = tab.page.locator("#detail-facts").inner_text()
        (face,) = Scorer(factors="resolution").score(ASTRONAUT).faces
        assert "face width" in facts and f"{face.factors['face_width']:.3g}" in facts
        assert f"percentile {round(face.percentile)}" in facts
        heat.click()
        assert tab.page.locator("canvas.heat").count() == 1
        assert heat.get_attribute("aria-pressed") == "true"
        tab.page.keyboard.press("Escape")
        assert not tab.page.locator("#detail").is_visible()


def test_factors_with_ratings_and_advice_are_shown(visit: Callable[..., Any]) -> None:
    blurred = {"value": 0.2, "rating": 0.1, "advice": "Hold the camera still."}

    picture = Scorer().score(ASTRONAUT).to_dict()
    picture["faces"][0] |= {
        "factors": {
            "face_width": 84.67,
            "sharpness": blurred,
            "pose": {"value": None, "rating": None, "advice": ""},
        },
        "notes": ["tiny"],
    }

    def rated(route: Any) -> None:
        route.fulfill(json={"pictures": [picture]})

    with visit() as tab:
        tab.page.route(re.compile(r"/v1/score\?"), rated)
        add(tab, ASTRONAUT)
        tab.page.locator(".open").click()
        tab.page.get_by_text("What would help").wait_for()
        facts = " ".join(tab.page.locator("#detail-facts").inner_text().split())
        assert "sharpness 0.2 (0.2 blurred to 0.5 crisp), rated 0.10 of 1" in facts
        assert "face width 84.7 px" in facts and "pose not measured" in facts
        assert "What would help Hold the camera still." in facts
        assert "Less certain because" in facts and "below 40 px" in facts
        tab.page.get_by_text("What the factors mean").click()
        assert "Width of the face box, in pixels." in tab.page.inner_text("#detail-facts")


def test_pictures_are_sorted_filtered_and_the_best_is_marked(visit: Callable[..., Any]) -> None:
    broken = {"name": "broken.jpg", "mimeType": "image/jpeg", "buffer": b"?"}
    with visit() as tab:
        page = tab.page
        add(tab, DARK, BLUR, broken, ASTRONAUT)
        page.select_option("#sort", "high")
        assert names(tab) == [ASTRONAUT.name, DARK.name, BLUR.name, "broken.jpg"]
        page.select_option("#sort", "low")
        assert names(tab)[0] == BLUR.name and names(tab)[-1] == "broken.jpg"
        page.select_option("#show", "unscored")
        assert names(tab) == ["broken.jpg"]
        assert "known format" in page.locator(".card .line").inner_text()
        assert page.inner_text("#shown-text") == "1 of 4 pictures shown."
        page.fill("#name", "DARK")
        assert names(tab) == []
        assert page.inner_text("#shown-text") == "No picture is shown: none of the 4 matches."
        assert page.is_disabled("#csv")
        page.select_option("#show", "all")
        assert names(tab) == [DARK.name]
        page.get_by_role("button", name="Show all").click()
        assert len(names(tab)) == 4 and page.is_hidden("#shown") and page.is_enabled("#csv")
        for count in ("0", "-1", "1.5", ""):
            page.fill("#count", count)
            page.get_by_role("button", name="Mark the best").click()
            assert page.inner_text("#progress") == "Best takes a whole number from 1 on."
            assert page.locator(".card.best").count() == 0
        page.fill("#count", "1")
        page.get_by_role("button", name="Mark the best").click()
        assert ASTRONAUT.name in page.inner_text("#progress")
        for name in (BLUR.name, DARK.name):
            page.get_by_label(f"Select {name}").check()
        page.get_by_role("button", name="Mark the best").click()
        page.wait_for_timeout(100)
        best = page.locator(".card.best")
        assert best.locator(".name").all_inner_texts() == [DARK.name]
        page.get_by_role("button", name="Remove selected").click()
        assert sorted(names(tab)) == [ASTRONAUT.name, "broken.jpg"]


def test_two_pictures_stand_side_by_side(visit: Callable[..., Any]) -> None:
    with visit() as tab:
        add(tab, ASTRONAUT, BLUR)
        for name in (ASTRONAUT.name, BLUR.name):
            tab.page.get_by_label(f"Select {name}").check()
        tab.page.get_by_role("button", name="Compare two").click()
        good, bad = (Scorer().score(path).faces[0] for path in (ASTRONAUT, BLUR))
        said = tab.page.inner_text("#pair-summary")
        assert f"{ASTRONAUT.name} is better by {good.score - bad.score:.2f}" in said
        assert ("do not meet" in said) == (good.low > bad.high)
        sides = tab.page.locator("#pair-sides > div")
        left, right = (sides.nth(number).bounding_box() for number in (0, 1))
        assert left and right and left["y"] == right["y"] and left["x"] < right["x"]


DROP = """([type, name, data]) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, { type: "image/jpeg" }));
  transfer.items.add(new File(["text"], "notes.txt", { type: "text/plain" }));
  const given = type === "paste" ? { clipboardData: transfer } : { dataTransfer: transfer };
  const make = type === "paste" ? ClipboardEvent : DragEvent;
  document.body.dispatchEvent(new make(type, { ...given, bubbles: true, cancelable: true }));
}"""


def test_pictures_are_dropped_pasted_and_taken(visit: Callable[..., Any]) -> None:
    data = base64.b64encode(ASTRONAUT.read_bytes()).decode()
    with visit(permissions=["camera"]) as tab:
        tab.page.evaluate(DROP, ["drop", "dropped.jpg", data])
        tab.page.evaluate(DROP, ["paste", "pasted.jpg", data])
        wait(tab)
        assert names(tab) == ["dropped.jpg", "pasted.jpg"]
        tab.page.get_by_role("button", name="Take a picture").click()
        tab.page.locator("#shoot:enabled").click()
        tab.page.get_by_text("Took camera-1.png").wait_for()
        tab.page.keyboard.press("Escape")
        wait(tab)
        assert names(tab)[2] == "camera-1.png"
        assert tab.page.evaluate("() => document.getElementById('video').srcObject") is None


def test_a_name_is_never_read_as_html_or_as_a_formula(visit: Callable[..., Any]) -> None:
    wicked = ["<img src=x onerror=alert(1)>.jpg", "=1+1.jpg", "a, b.jpg"]
    with visit() as tab:
        add(tab, *(named(name) for name in wicked))
        assert names(tab) == wicked
        tab.page.locator(".open").first.click()
        assert tab.page.inner_text("#detail-title") == wicked[0]
        tab.page.keyboard.press("Escape")
        from facegauge import path_from_cell

        cells = [row["path"] for row in table(tab)]
        assert cells[1].startswith("file:") and [path_from_cell(one) for one in cells] == wicked


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_people_can_read_it_small_dark_and_light(visit: Callable[..., Any], scheme: str) -> None:
    with visit(width=360, height=740, color_scheme=scheme) as tab:
        add(tab, ASTRONAUT, DARK, named("a-name-" + "without-a-break" * 8 + ".jpg", BLUR))
        tab.page.get_by_role("button", name="Mark the best").click()
        assert tab.serious_findings() == []
        fits = "() => document.documentElement.scrollWidth <= 360"
        assert tab.page.evaluate(fits)
        tab.page.locator(".open").first.click()
        tab.page.get_by_role("button", name="Heat map").click()
        assert tab.serious_findings() == []
        wide = "() => { const one = document.getElementById('detail');"
        assert tab.page.evaluate(f"{wide} return one.scrollWidth <= one.clientWidth }}")
        dark = tab.page.evaluate("() => getComputedStyle(document.documentElement).backgroundColor")
        assert (dark == "rgb(255, 255, 255)") == (scheme == "light")


def test_the_keyboard_alone_does_it_all(visit: Callable[..., Any]) -> None:
    with visit() as tab:
        page, press = tab.page, tab.page.keyboard.press

        def reach(selector: str) -> None:
            for _ in range(60):
                if page.evaluate(
                    "(selector) => document.activeElement.matches(selector)", selector
                ):
                    return
                press("Tab")
            raise AssertionError(f"the keyboard does not reach {selector}")

        choosers: list[Any] = []

        def opened(chooser: Any) -> None:
            choosers.append(chooser)

        page.on("filechooser", opened)
        reach("#choose")
        page.wait_for_timeout(300)  # until the browser reports choosers
        press("Enter")
        tab.until(lambda: choosers, "the file chooser")
        choosers[0].set_files([ASTRONAUT, BLUR])
        wait(tab)
        reach("#sort")
        press("ArrowDown")
        press("ArrowDown")
        assert page.locator("#sort").input_value() == "low"
        assert names(tab) == [BLUR.name, ASTRONAUT.name]
        reach("#best")
        press("Enter")
        reach("button.open")
        press("Enter")
        assert page.inner_text("#detail-title") == BLUR.name
        press("ArrowRight")
        assert page.inner_text("#detail-title") == ASTRONAUT.name
        reach("button.box")
        press("Escape")
        for _ in range(2):
            reach(".card input:not(:checked)")
            press("Space")
        page.evaluate("() => document.body.focus()")
        reach("#compare")
        press("Enter")
        assert "is better by" in page.inner_text("#pair-summary")


def test_a_refusal_is_shown_and_a_busy_service_is_asked_again(visit: Callable[..., Any]) -> None:
    asked: list[int] = []

    def busy(route: Any) -> None:
        asked.append(1)
        if len(asked) == 1:
            route.fulfill(status=429, headers={"Retry-After": "0.05"}, json={"detail": "full"})
        elif len(asked) == 2:
            route.continue_()
        else:
            route.fulfill(status=500, json={"detail": "the service failed on this request"})

    with visit() as tab:
        tab.page.route("**/v1/score", busy)
        add(tab, ASTRONAUT)
        assert "0." in tab.page.locator(".card .line").inner_text()
        add(tab, BLUR)
        assert "the service failed" in tab.page.locator(".card .line").last.inner_text()
        tab.page.unroute("**/v1/score")  # and it recovers
        assert tab.page.get_by_role("button", name="Score again").count() == 1  # hidden ones apart
        tab.page.get_by_role("button", name=f"Score {BLUR.name} again").click()
        wait(tab)
        assert "0." in tab.page.locator(".card .line").last.inner_text()
        assert tab.page.is_hidden("#retry")


def test_all_that_failed_is_scored_again_at_once(visit: Callable[..., Any]) -> None:
    def fail(route: Any) -> None:
        route.fulfill(status=500, json={"detail": "the service failed on this request"})

    with visit() as tab:
        tab.page.route("**/v1/score", fail)
        add(tab, ASTRONAUT, BLUR)
        tab.page.unroute("**/v1/score")
        tab.page.get_by_role("button", name="Score again: 2 pictures").click()
        wait(tab)
        assert tab.page.is_hidden("#retry")
        assert tab.page.inner_text("#progress") == "2 pictures, all scored."


def test_files_that_are_left_out_are_counted(visit: Callable[..., Any]) -> None:
    data = base64.b64encode(ASTRONAUT.read_bytes()).decode()
    with visit() as tab:
        tab.page.evaluate(DROP, ["drop", "dropped.jpg", data])
        wait(tab)
        assert "1 of 2 files left out" in tab.page.inner_text("#left-out")
        add(tab, BLUR)
        assert not tab.page.inner_text("#left-out")


def test_a_service_that_is_gone_is_told(visit: Callable[..., Any], server: Server) -> None:
    with visit() as tab:
        tab.page.route("**/page/config.json", lambda route: route.fulfill(status=503, body=""))
        tab.page.reload()
        tab.page.get_by_text("cannot be loaded: the service does not answer").wait_for()
        assert tab.page.locator("#dead").count() == 0


def test_scripts_that_are_not_loaded_are_told(visit: Callable[..., Any]) -> None:
    with visit() as tab:
        assert tab.page.locator("#dead").count() == 0  # they are
        tab.page.route("**/page/dom.js", lambda route: route.fulfill(status=404, body=""))
        tab.page.reload()
        told = tab.page.locator("#dead")
        tab.until(lambda: (told.bounding_box() or {"height": 0})["height"] > 40, "the words")
        assert "python -m http.server" in told.inner_text()


@pytest.mark.parametrize("place", [(0, 0), (340, 0), (0, 340), (340, 340), (190, 170)])
def test_labels_are_in_the_picture_however_small(
    visit: Callable[..., Any], place: tuple[int, int]
) -> None:
    left, top = place
    picture = Scorer().score(ASTRONAUT).to_dict() | {"width": 400, "height": 400}
    picture["faces"][0] |= {"left": left, "top": top, "right": left + 60, "bottom": top + 60}
    two = {"pictures": [picture, picture]}
    with visit(width=360, height=740) as tab:
        tab.page.route(re.compile("/v1/score"), lambda route: route.fulfill(json=two))
        add(tab, ASTRONAUT, named("b.jpg"))
        for name in (ASTRONAUT.name, "b.jpg"):
            tab.page.get_by_label(f"Select {name}").check()
        assert labels_inside(tab, "#gallery") == 2
        tab.page.get_by_role("button", name="Compare two").click()
        assert labels_inside(tab, "#pair-sides") == 2
        tab.page.keyboard.press("Escape")
        tab.page.locator(".open").first.click()
        assert labels_inside(tab, "#detail-figure") == 1


def test_the_label_of_the_chosen_face_is_whole(visit: Callable[..., Any]) -> None:
    """The others are short, so that labels do not cover each other."""
    picture = Scorer().score(ASTRONAUT).to_dict() | {"width": 500, "height": 500}
    (face,) = picture["faces"]
    boxes = [{"face": n, "left": 20 + 160 * n, "right": 120 + 160 * n} for n in range(3)]
    picture["faces"] = [face | box | {"top": 200, "bottom": 300, "band": "fair"} for box in boxes]
    with visit(width=360, height=740) as tab:
        tab.page.route(
            re.compile("/v1/score"), lambda route: route.fulfill(json={"pictures": [picture]})
        )
        add(tab, ASTRONAUT)
        tab.page.locator(".open").click()
        tags = tab.page.locator("#detail-figure .tag")
        score = f"{face['score']:.2f}"
        whole = f"{score} fair, {face['low']:.2f} to {face['high']:.2f}"
        for chosen in (0, 2, 1):
            tab.page.locator("button.box").nth(chosen).click()
            expected = [whole if number == chosen else score for number in range(3)]
            assert tags.all_inner_texts() == expected


def labels_inside(tab: Tab, selector: str) -> int:
    """How many labels of boxes there are; each lies in whole in its picture."""
    tab.page.wait_for_timeout(300)
    return int(
        tab.page.evaluate(
            """(selector) => {
  const tags = [...document.querySelectorAll(`${selector} .tag`)];
  for (const tag of tags) {
    const [inner, outer] = [tag, tag.parentElement].map((one) => one.getBoundingClientRect());
    const inside = inner.left >= outer.left - 1 && inner.right <= outer.right + 1 &&
      inner.top >= outer.top - 1 && inner.bottom <= outer.bottom + 1;
    const cut = tag.scrollWidth > tag.clientWidth + 1;
    if (!inside || cut) throw new Error(JSON.stringify([inner, outer]));
  }
  return tags.length;
}""",
            selector,
        )
    )


@pytest.mark.slow
def test_the_key_is_asked_for(browser: Browser, tmp_path: Path) -> None:
    with (
        serving_with_key(tmp_path) as server,
        browser.open(f"http://127.0.0.1:{server.port}/") as tab,
    ):
        page = tab.page
        page.set_input_files("#files", [ASTRONAUT])
        for key in ("ключ", "wrong"):
            page.locator("#key-text:visible").fill(key)
            page.get_by_role("button", name="Use key").click()
            page.wait_for_timeout(200)
            refused = page.locator("#key-problem").inner_text()
            assert ("does not take this key" in refused) == (key == "wrong")
        page.locator("#key-text:visible").fill("open sesame")
        page.get_by_role("button", name="Use key").click()
        wait(tab)
        assert "0." in page.locator(".card .line").inner_text()


def serving_with_key(folder: Path) -> Any:
    return serving(folder, "--workers", "1", FACEGAUGE_API_KEY="open sesame")


def test_files_of_the_page_are_guarded_and_kept(server: Server) -> None:
    index = server.get("/")
    assert index.status == 200 and index.headers["content-type"].startswith("text/html")
    assert index.headers["content-security-policy"] == f"{POLICY}; frame-ancestors 'none'"
    assert POLICY in index.body.decode()  # for other web servers
    assert index.headers["cross-origin-opener-policy"] == "same-origin"
    assert index.headers["cross-origin-embedder-policy"] == "require-corp"
    script = server.get("/page/main.js", **{"Accept-Encoding": "gzip"})
    assert script.headers["content-encoding"] == "gzip" and script.body[:2] == b"\x1f\x8b"
    tag = script.headers["etag"]
    assert server.get("/page/main.js", **{"If-None-Match": tag}).status == 304
    for nothing in ("/page/", "/page/../app.py", "/page/%2e%2e/app.py", "/page/nothing.js"):
        assert server.get(nothing).status == 404
    assert server.ask("POST", "/").status == 405


def test_every_file_that_the_code_names_is_there() -> None:
    files = page_files(Scorer())
    for name, file in files.items():
        if name.startswith("runtime/"):  # which is not ours
            continue
        text = file.read().decode() if file.media_type.startswith("text/") else ""
        folder = "" if name == INDEX else name.rpartition("/")[0] + "/"
        for used in re.findall(r'(?:src|href)="([^"#]+)"|from "\./([^"]+)"', text):
            inner = "".join(used)
            assert folder + inner in files, f"{name} names {inner}"
        assert "http://" not in text.replace("http://www.w3.org/2000/svg", ""), name
        assert "https://" not in text, name
        assert "innerHTML" not in text and "eval(" not in text, name


@pytest.mark.slow
def test_five_hundred_pictures_stay_usable(browser: Browser, toy: Path, tmp_path: Path) -> None:
    files = []
    for number in range(500):  # most are too large for this service, so that it has less to do
        path, size = tmp_path / f"{number:03}.png", (48, 64) if number % 5 else (30, 30)
        Image.new("RGB", size, (number % 256,) * 3).save(path)
        files.append(path)
    options = ["--scorer", str(toy), "--workers", "2", "--max-pixels", "1000"]
    with (
        serving(tmp_path, *options) as server,
        browser.open(f"http://127.0.0.1:{server.port}/") as tab,
    ):
        tab.page.set_input_files("#files", files)
        wait(tab, 5 * PATIENCE)
        assert tab.page.locator(".card").count() == 500
        assert len(table(tab)) == 500
        tab.page.fill("#name", "49")
        assert len(names(tab)) == len([path for path in files if "49" in path.name])
