"""The browser of the tests sees what a page does wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from browser import Browser

HEAD = "<!doctype html><html lang=en><title>Page</title><main><h1>Faces</h1>"


def page(folder: Path, body: str) -> str:
    file = folder / "page.html"
    file.write_text(HEAD + body + "</main>", encoding="utf-8")
    return file.as_uri()


def test_a_sound_page_is_left_in_peace(browser: Browser, tmp_path: Path) -> None:
    with browser.open(page(tmp_path, "<p>All is well.")) as tab:
        assert tab.page.get_by_role("heading").inner_text() == "Faces"
        assert tab.serious_findings() == []


def test_what_people_cannot_read_is_found(browser: Browser, tmp_path: Path) -> None:
    pale = "<p style='color: #eee; background: #fff'>Who can read this?"
    with browser.open(page(tmp_path, pale)) as tab:
        (finding,) = tab.serious_findings()
        assert finding.startswith("color-contrast") and "Who can read" in finding


@pytest.mark.parametrize(
    "body",
    [
        "<script>throw new Error('broken')</script>",
        "<script>console.error('refused')</script>",
        "<img src='http://127.0.0.1:9/a.png' alt='elsewhere'>",
    ],
)
def test_errors_and_other_hosts_are_seen(browser: Browser, tmp_path: Path, body: str) -> None:
    with pytest.raises(AssertionError), browser.open(page(tmp_path, body)) as tab:
        tab.page.wait_for_load_state("load")
