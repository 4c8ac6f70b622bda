"""The documentation as a site: it builds without a warning, its links lead somewhere, and it asks no other host."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest

from tests.coordinator.browser import CHROMIUM, Page, browser
from tests.paths import ROOT

pytest.importorskip("material", reason="mkdocs-material is not installed: pip install '.[docs]'")


class _Links(HTMLParser):
    """What a page links to, what it loads, and the anchors that it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.anchors.add(found.get("id") or "")
        if tag == "a" and found.get("href"):
            self.links.append(str(found["href"]))
        elif tag in ("script", "img", "iframe") and found.get("src"):
            self.loaded.append(str(found["src"]))
        elif tag == "link" and found.get("href"):
            self.loaded.append(str(found["href"]))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, _Links]:
    return {
        file.relative_to(site).as_posix(): _Links(file.read_text(encoding="utf-8"))
        for file in site.rglob("*.html")
        if file.name != "404.html"
    }


def test_each_document_is_a_page_that_the_first_one_leads_to(pages: dict[str, _Links]) -> None:
    """In its navigation; so no page is forgotten there."""
    documents = {f"{file.stem}.html" for file in (ROOT / "docs").glob("*.md")}
    assert set(pages) == documents | {"index.html", "CONTRIBUTING.html", "CHANGELOG.html"}
    assert documents <= {urldefrag(link).url for link in pages["index.html"].links}


def test_links_and_anchors_lead_somewhere(site: Path, pages: dict[str, _Links]) -> None:
    """Of every page: also the links that the README and docs/ have on GitHub, and those to headings."""
    checked = 0
    for name, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme:
                continue
            target = (site / name).parent / unquote(parts.path) if parts.path else site / name
            assert target.resolve().is_file(), f"{name} links to {link}"
            other = target.resolve().relative_to(site.resolve()).as_posix()
            if parts.fragment and other in pages:
                assert unquote(parts.fragment) in pages[other].anchors, f"{name} links to {link}"
            checked += 1
    assert checked > 500


def test_nothing_is_loaded_from_another_host(site: Path, pages: dict[str, _Links]) -> None:
    """Neither by the pages nor by the theme's styles: no fonts, scripts or pictures of others."""
    for name, page in pages.items():
        assert [each for each in page.loaded if urlsplit(each).netloc] == [], name
    for style in site.rglob("*.css"):
        assert "url(http" not in style.read_text(encoding="utf-8"), style.name


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    if CHROMIUM is None:
        pytest.skip("no Chromium here")
    with browser(tmp_path_factory.mktemp("chromium")) as opened:
        opened.call("Emulation.setDeviceMetricsOverride", width=420, height=900, deviceScaleFactor=1, mobile=False)
        yield opened


@pytest.mark.parametrize("name", ["index.html", "commands.html", "settings.html", "troubleshooting.html"])
def test_a_page_opens_as_a_file_without_complaints(name: str, site: Path, page: Page) -> None:
    """In a real browser: no message in the console, no request, and nothing scrolled off at 420 px."""
    before = len(page.events)
    page.open(site / name)
    assert page.run("document.querySelector('h1').textContent.length") > 3
    assert page.requests(since=before) == []
    assert page.complaints(since=before) == []
    assert page.run("document.documentElement.scrollWidth") <= 420
