"""The live page in a real browser: content, updates while a run goes on, what the reader does is kept, no complaint.

`SCREENSHOTS=accept pytest tests/coordinator/ui/test_in_browser.py` writes the pictures of docs/images anew.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from coordinator.ledger.ledger import Ledger
from coordinator.project.project import Project
from tests.coordinator.browser import CHROMIUM, Page, browser
from tests.coordinator.command import Coord, until
from tests.coordinator.ui.live_project import Live, fill, go, live_page, step_by_step
from tests.paths import ROOT

IMAGES = ROOT / "docs" / "images"
PATHS = ("/", "/board", "/worst", "/chains", "/compare?of=base-s0%40local-v1&of=base--lr0.05-s0", "/sweeps/base--lr-s3")


@pytest.fixture(scope="module")
def _browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    if CHROMIUM is None:
        pytest.skip("no Chromium here: apt install chromium")
    with browser(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


@pytest.fixture
def live(coord: Coord, tiny: Project) -> Iterator[Live]:
    fill(tiny)
    step_by_step(tiny)
    with live_page(coord) as found:
        yield found


@pytest.fixture
def page(_browser: Page, live: Live) -> Iterator[Page]:
    """It leaves the live page before the server ends: the browser reports each request that nobody answers."""
    yield _browser
    _browser.visit("about:blank")


def _size(page: Page, width: int, height: int = 900, *, scheme: str = "light") -> None:
    page.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
    page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])


def _text(page: Page, selector: str) -> str:
    return str(page.run(f"(document.querySelector({selector!r}) ?? {{innerText: ''}}).innerText"))


def _scrolled_off(page: Page) -> list[str]:
    """What is wider than the window, or than the box that it is in."""
    found: list[str] = page.run(
        "[...document.querySelectorAll('body *')].filter(each => each.getClientRects().length && !each.closest('.skip, "
        "svg') && (each.getBoundingClientRect().right > innerWidth + 0.5 || (each.scrollWidth > "
        "each.clientWidth + 1 && ['auto', 'scroll'].includes(getComputedStyle(each).overflowX)))).map(each => "
        "`${each.nodeName} ${each.className} ${each.textContent.slice(0, 40)}`)"
    )
    return found


def test_while_a_run_goes_on(page: Page, live: Live, coord: Coord, tiny: Project) -> None:
    """Its state, curve, log and value follow it without a reload, up to its end; nothing else is asked for."""
    before = len(page.events)
    _size(page, 1280)
    page.visit(live.url)
    page.run("window.sameDocument = true")
    assert _text(page, "#now") == ""
    coord("push", "--exp", "slow", "--set", "train.epochs=6", "--set", "train.wait_for=go")
    until(lambda: _text(page, "#now") == "Going on now", "the run on the page")
    go(coord, "tiny-slow", 1, 2)
    until(lambda: "epoch 2/6: val/dice 0.7000" in _text(page, "#active .last"), "its second epoch")
    points = "document.querySelectorAll('#active svg.chart circle').length"
    two = page.run(points)
    go(coord, "tiny-slow", 3, 4)
    until(lambda: "epoch 4/6" in _text(page, "#active .last"), "its fourth epoch")
    assert page.run(points) == two + 2
    assert page.run("window.sameDocument"), "the page was loaded again"
    assert page.run("document.querySelector('#table svg.spark') !== null")

    # The run's own page, by its printed address.
    with Ledger(tiny.ledger) as ledger:
        run = ledger.find("slow")
    page.visit(f"{live.url}runs/{run.id}")
    page.run("window.sameDocument = true")
    until(lambda: "epoch 4/6" in _text(page, "#log"), "its log")
    assert "a word from the package data" in _text(page, "#log")
    # A selection in the log stays while it grows.
    page.run("getSelection().selectAllChildren(document.querySelector('#log > div'))")
    chosen = page.run("getSelection().toString()")
    go(coord, "tiny-slow", *range(5, 10))
    until(lambda: "fold 1, epoch 3/6" in _text(page, "#log"), "its later epochs")
    assert (page.run("getSelection().toString()"), bool(chosen)) == (chosen, True)
    assert "0.7600" in _text(page, "#about")
    go(coord, "tiny-slow", 10, 11, 12)
    (coord.session_root("tiny-slow", 1) / "go").touch()
    until(lambda: _text(page, "h2 .badge") == "complete", "its end")
    assert page.run("document.title") == "slow local-v1, complete"
    assert page.run("window.sameDocument")
    assert page.complaints(since=before) == []
    assert [url for url in page.requests(since=before) if not url.startswith(live.url)] == []


def test_what_the_reader_does_is_kept(page: Page, live: Live, coord: Coord, tiny: Project) -> None:
    """Focus, filter, a sorted table, an open line and the scroll position outlive updates; the keyboard does it all."""
    before = len(page.events)
    _size(page, 1280)
    page.visit(live.url)
    rows = "[...document.querySelectorAll('#table tbody')].filter(row => !row.hidden)"
    assert page.run(f"{rows}.length") == 13
    page.press("Tab", 9)
    assert page.run("document.activeElement.className") == "skip"
    page.run("document.activeElement.blur()")
    page.press("/", 191, "/")
    assert page.run("document.activeElement.id") == "filter"
    for letter in "lr0.02":
        page.press(letter, 0, letter)
    assert page.run(f"{rows}.length") == 3
    until(lambda: page.run("location.search") == "?q=lr0.02", "the filter in the address")
    page.run("document.querySelectorAll('#table thead button')[5].focus()")
    page.press("Enter", 13, "\r")
    first = f"{rows}[0].querySelector('a').innerText"
    assert page.run(first) == "base--lr0.02-s2 local-v9"
    page.press("Enter", 13, "\r")
    assert page.run(first) == "base--lr0.02-s0 local-v7"

    # Something that the filter takes, and something that it does not.
    page.run("scrollTo(0, 120)")
    scrolled = page.run("scrollY")
    from tests.coordinator.finished_runs import finished

    finished(tiny, "base--lr0.02-s7", 30, [0.1] * 4, created_at="2026-11-30T09:00:00+00:00")
    finished(tiny, "other", 31, [0.9] * 4, created_at="2026-11-30T09:00:00+00:00")
    until(lambda: page.run(f"{rows}.length") == 4, "the new run")
    assert page.run(first) == "base--lr0.02-s7 local-v30", "lowest first"
    assert "aria-sort" in page.run("document.querySelectorAll('#table thead th')[6 - 0].outerHTML")
    assert page.run("document.activeElement.closest('th')?.textContent") == "value"
    assert page.run("document.getElementById('filter').value") == "lr0.02"
    assert page.run("scrollY") == scrolled

    # A line of the leaderboard that is open stays open.
    page.visit(f"{live.url}board")
    page.run("document.querySelectorAll('button.toggle')[1].focus()")
    page.press("Enter", 13, "\r")
    shown = "[...document.querySelectorAll('tr.run')].filter(row => row.offsetParent !== null).length"
    assert page.run(shown) == 3
    finished(tiny, "base--lr0.05-s9", 40, [0.81] * 20, seed=9, sets=["optim.lr=0.05"])
    until(lambda: "base--lr0.05-s9" in page.run("document.body.textContent"), "the new run on the board")
    assert page.run("document.querySelectorAll('button.toggle[aria-expanded=true]').length") == 1
    assert page.run("document.activeElement.matches('button.toggle')")
    assert page.complaints(since=before) == []

    # What it says when the server has ended.
    live.process.terminate()
    until(lambda: "coord ui has ended" in _text(page, "#connection"), "the notice")


def test_it_fits_and_has_names(page: Page, live: Live, coord: Coord, tiny: Project) -> None:
    """1280 and 420 pixels, light and dark: nothing is scrolled off; colours differ; everything to click has a name."""
    before = len(page.events)
    coord("push", "--exp", "slow", "--set", "train.epochs=12", "--set", "train.wait_for=go")
    go(coord, "tiny-slow", *range(1, 8))
    _wait_for_epoch(page, live, 7)
    with Ledger(tiny.ledger) as ledger:
        runs = ledger.runs()
    backs = set()
    for path in (*PATHS, f"/runs/{runs[0].id}", f"/runs/{runs[-1].id}"):
        # A page follows the reader's change of the scheme: each is loaded in both, at one of the widths.
        for width, *schemes in ((1280, "light", "dark"), (420, "dark", "light")):
            _size(page, width, scheme=schemes[0])
            page.visit(live.url.rstrip("/") + path)
            for scheme in schemes:
                _size(page, width, scheme=scheme)
                if width == 420:
                    assert (_scrolled_off(page), path) == ([], path)
                assert page.run("document.documentElement.scrollWidth") <= width, (path, width)
                backs.add((scheme, page.run("getComputedStyle(document.body).backgroundColor")))
        named = "one.getAttribute('aria-label') || one.textContent.trim() || one.labels?.length"
        nameless = "[...document.querySelectorAll('button, a, select, input, svg[role=img]')]"
        assert page.run(f"{nameless}.filter(one => !({named})).map(one => one.outerHTML)") == [], path
    assert len(backs) == 2

    # The button changes the colours, also of the next page.
    _size(page, 1280)
    page.run("document.getElementById('theme').click()")
    page.visit(live.url)
    assert page.run("document.documentElement.dataset.theme") == "dark"
    page.run("document.getElementById('theme').click()")
    page.run("localStorage.clear()")
    assert page.complaints(since=before) == []
    if os.environ.get("SCREENSHOTS") == "accept":
        _take_pictures(page, live, runs[0].id)


def _wait_for_epoch(page: Page, live: Live, epoch: int) -> None:
    page.visit(live.url)
    until(lambda: f"epoch {epoch}/12" in _text(page, "#active .last"), f"epoch {epoch}")


def _take_pictures(page: Page, live: Live, run_id: str) -> None:
    """The screenshots of docs/ui.md."""
    for scheme in ("light", "dark"):
        for width, height in ((1280, 900), (420, 860)):
            suffix = f"{width}-{scheme}"
            _size(page, width, height, scheme=scheme)
            for name, path in (("ui", ""), ("ui-run", f"runs/{run_id}"), ("ui-compare", PATHS[4].lstrip("/"))):
                if name == "ui" or suffix in ("1280-light", "420-dark"):
                    page.visit(live.url + path)
                    _picture(page, IMAGES / f"{name}-{suffix}.png")
    _size(page, 1280)
    page.visit(f"{live.url}board")
    _picture(page, IMAGES / "ui-board-1280-light.png")


def _picture(page: Page, file: Path) -> None:
    file.write_bytes(base64.b64decode(page.call("Page.captureScreenshot", format="png")["data"]))
