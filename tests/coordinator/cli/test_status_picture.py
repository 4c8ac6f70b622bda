"""The picture of `coord status` in the docs, as a terminal of 80 columns shows it: drawn by rich, taken by a browser.

`PICTURES=accept pytest tests/coordinator/cli/test_status_picture.py` writes docs/images/status.png anew.
"""

from __future__ import annotations

import base64
import io
import os
import re
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from tests.coordinator.browser import CHROMIUM, Page, browser
from tests.coordinator.command import Coord, until
from tests.coordinator.terminals import on_a_terminal
from tests.paths import ROOT

PICTURE = ROOT / "docs" / "images" / "status.png"
WIDTH, HEIGHT = 1000, 290


def _drawn(shown: str) -> str:
    """The text with its colours as SVG. The fonts of this machine are enough: nothing is fetched."""
    console = Console(record=True, width=80, file=io.StringIO(), force_terminal=True)
    console.print("[bold]$[/bold] coord status")
    console.print(Text.from_ansi(re.sub(r"\x1b\]8;[^\x1b]*\x1b\\", "", shown.replace("\r\n", "\n").rstrip())))
    svg = console.export_svg(title="coord status")
    return re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL).replace("Fira Code", "DejaVu Sans Mono")


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")
def test_the_picture_of_the_status(coord: Coord, tmp_path: Path) -> None:
    """A run that goes on, one that has failed, a sweep, and a complete run: a line each."""
    coord("push", "--exp", "base", "--wait")
    coord("push", "--exp", "crash", "--wait", code=1)
    coord("sweep", "--exp", "base", "--grid", "optim.lr=0.1,0.2", "--seeds", "2", "--name", "lr")
    until(lambda: "running" not in coord.states() and "queued" not in coord.states(), "the end of the sweep")
    coord("fetch-results", "--all")
    coord("push", "--exp", "slow")
    until(lambda: "epoch 3/3" in coord("status").stdout, "its last epoch")
    with on_a_terminal(coord, "status") as terminal:
        assert terminal.end() == 0
        lines = terminal.left_behind
    assert max(map(cell_len, lines)) <= 80
    assert [line.split("  ")[0] for line in lines[2:6]] == [
        "slow local-v1",
        "sweep lr",
        "crash local-v1",
        "base local-v1",
    ]
    assert "4 of 4 complete; best cv/dice 0.7550" in lines[3]  # one of them by the work of base
    svg = _drawn(terminal.shown)
    page_file = tmp_path / "status.html"
    page_file.write_text(f"<meta charset=utf-8><body style='margin:0'>{svg}</body>", encoding="utf-8")
    with browser(tmp_path / "home") as page:
        png = _taken(page, page_file)
        assert page.requests() == []
    assert png.startswith(b"\x89PNG")
    if os.environ.get("PICTURES") == "accept":
        PICTURE.write_bytes(png)


def _taken(page: Page, file: Path) -> bytes:
    page.call("Emulation.setDeviceMetricsOverride", width=WIDTH, height=HEIGHT, deviceScaleFactor=1, mobile=False)
    page.open(file)
    words = page.run("document.querySelector('svg').textContent")
    for expected in ("RuntimeError", "RUNNING", "COMPLETE", "█"):
        assert expected in words
    size = page.run(
        "(() => {const box = document.querySelector('svg').getBoundingClientRect(); return [box.width, box.height]})()"
    )
    clip = {"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1}
    return base64.b64decode(page.call("Page.captureScreenshot", format="png", clip=clip)["data"])
