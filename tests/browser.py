"""Opens pages in Debian's Chromium, and watches what they ask for.

    with browsing() as browser, browser.open(url) as tab:
        tab.page.get_by_role("button", name="Compare").click()

`tab.page` is a page of playwright's sync interface. Conditions that are texts, as in
`wait_for_function("...")`, break under a page's own policy: give `page.evaluate` functions, and
wait with `tab.until`. Leaving a tab fails where the page threw an error, broke its own policy, or
asked another host for anything.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import resources
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from playwright.sync_api import Browser as Chromium
    from playwright.sync_api import Page, Request

PATIENCE = 60.0  # seconds; nothing here is measured by them
NAMES = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    "--no-sandbox",  # which a container's root cannot have
    "--disable-dev-shm-usage",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)
SERIOUS = ("serious", "critical")


def executable() -> str | None:
    """The path of Chromium, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@dataclass
class Tab:
    """A page, what it asked for, and what it complained about."""

    page: Page
    requests: list[Request] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def saw(self, request: Request) -> None:
        self.requests.append(request)

    def until(self, condition: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
        """The first true value of a condition, which may ask the page."""
        begun, pause = time.monotonic(), 20
        while time.monotonic() < begun + patience:
            if value := condition():
                return value
            self.page.wait_for_timeout(pause)  # ms; asking costs the page time too
            pause = min(500, 2 * pause)
        raise AssertionError(f"waited in vain for {what}; {self.errors}")

    def hosts(self) -> set[str]:
        """The hosts that anything was asked of."""
        urls = [urlsplit(request.url) for request in self.requests]
        return {url.netloc for url in urls if url.scheme not in ("data", "blob", "about")}

    def serious_findings(self) -> list[str]:
        """What axe-core finds serious or worse."""
        run = "async () => (await axe.run({resultTypes: ['violations']})).violations"
        return [
            f"{one['id']}: {one['help']}: {[node['html'] for node in one['nodes'][:3]]}"
            for one in self.page.evaluate(run)
            if one["impact"] in SERIOUS
        ]


@dataclass
class Browser:
    """A browser that runs."""

    chromium: Chromium

    @contextmanager
    def open(
        self,
        url: str,
        *,
        width: int = 1280,
        height: int = 900,
        script: str = "",
        **context: Any,
    ) -> Iterator[Tab]:
        """A page in a fresh profile.

        Args:
            url: of the page; `file:` for one on disk.
            width: of the window, in pixels.
            height: likewise.
            script: JavaScript that runs before that of the page.
            context: further options of playwright's `new_context`, such as `color_scheme="dark"`.
        """
        profile = self.chromium.new_context(viewport={"width": width, "height": height}, **context)
        axe = resources.files("axe_playwright_python") / "axe.min.js"
        profile.add_init_script(f"{axe.read_text(encoding='utf-8')};{script}")
        try:
            tab = Tab(profile.new_page())
            tab.page.set_default_timeout(1000 * PATIENCE)
            profile.on("request", tab.saw)
            tab.page.on("pageerror", lambda error: tab.errors.append(str(error)))
            tab.page.on("console", lambda line: _note(line, tab.errors))
            tab.page.goto(url)
            yield tab
            assert not tab.errors, tab.errors
            assert tab.hosts() <= {urlsplit(url).netloc}
        finally:
            profile.close()


def _note(line: Any, errors: list[str]) -> None:
    """Keep an error; answers with a problem are no errors of the page."""
    if line.type == "error" and not line.text.startswith("Failed to load resource"):
        errors.append(line.text)


@contextmanager
def browsing() -> Iterator[Browser]:
    """Chromium without a window; needs the packages chromium and playwright."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable(), args=list(OPTIONS))
        try:
            yield Browser(chromium)
        finally:
            chromium.close()
