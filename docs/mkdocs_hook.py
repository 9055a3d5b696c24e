"""Builds the site from the repository's pages where they lie: a hook of mkdocs.

Pages link to each other, to files of the source and to results as they do in the repository, so the
site has the repository's layout: `README.md` is its first page, `docs/start.md` is `docs/start/`.
Files that pages link to and that are no pages are copied beside them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
PAGES = ("*.md", "docs/**/*.md", "benchmarks/**/*.md", "examples/*.md")
REFERENCE = (
    "docs/cli/",
    "docs/settings/",
    "docs/modules/",
    "docs/experiments/",
    "benchmarks/",
    "CHANGELOG",
)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)")


def on_config(config: Any) -> Any:
    """Put the files that fit in the place of a pattern in the navigation."""
    config.nav = _listed(config.nav)
    return config


def on_files(files: Files, config: Any) -> Files:
    """Replace what mkdocs found in its folder by the repository's pages and what they link to."""
    pages = sorted({page for pattern in PAGES for page in ROOT.glob(pattern)})
    own = [file for file in files if not file.src_uri.endswith((".md", ".py"))]
    linked = sorted({target for page in pages for target in _linked(page)} - {*pages})
    found = [_file(path, config) for path in [*pages, *linked]]
    return Files([*own, *found])


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Let the search show pages that explain before pages that list."""
    if page.file.src_uri.startswith(REFERENCE):
        page.meta["search"] = {"boost": 0.3}
    return markdown


def _listed(nav: Any) -> Any:
    """The navigation without patterns; what a list names itself is not repeated."""
    if isinstance(nav, dict):
        return {title: _listed(inner) for title, inner in nav.items()}
    if not isinstance(nav, list):
        return nav
    found: list[Any] = []
    for one in nav:
        if isinstance(one, str) and "*" in one:
            paths = [path.relative_to(ROOT).as_posix() for path in sorted(ROOT.glob(one))]
            found += [path for path in paths if path not in nav]
        else:
            found.append(_listed(one))
    return found


def _linked(page: Path) -> list[Path]:
    """Files of the repository that a page links to, or shows."""
    targets = (link[1] for link in LINK.finditer(page.read_text(encoding="utf-8")))
    paths = ((page.parent / target).resolve() for target in targets if "://" not in target)
    return [path for path in paths if path.is_file() and path.is_relative_to(ROOT)]


def _file(path: Path, config: Any) -> File:
    return File.generated(config, path.relative_to(ROOT).as_posix(), abs_src_path=str(path))
