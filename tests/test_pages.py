"""The pages of docs/, run: each command, in order, with the output that is shown.

`PAGES=accept` writes what was printed into a page, where the page shows something else and no `...`.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from runner_test.sessions import isolation
from tests.coordinator.command import delete_kernels
from tests.pages import Shell, accept, blocks, run_page
from tests.paths import ROOT
from tests.reader import BEFORE

PAGES = {
    page.name: page for page in sorted(ROOT.glob("docs/*.md")) if page.name not in ("commands.md", "troubleshooting.md")
}
RUN = [name for name, page in PAGES.items() if any(not block.not_run for block in blocks(page))]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(isolation.problem() is not None, reason=str(isolation.problem()))
@pytest.mark.skipif(shutil.which("git") is None, reason="apt install git")
@pytest.mark.parametrize("name", RUN)
def test_a_page(name: str, tmp_path: Path) -> None:
    """What its commands print is what it shows."""
    shell = Shell(tmp_path, tmp_path)
    try:
        differences = run_page(PAGES[name], shell, BEFORE)
    finally:
        shell.started.close()
        for state in tmp_path.glob("**/.coord/local-kaggle"):
            delete_kernels(state)
    if os.environ.get("PAGES") == "accept":
        for each in differences:
            accept(PAGES[name], each)
    assert not differences, "\n".join(map(str, differences))


NOT_RUN = {
    "it trains Mask R-CNN": 4,
    "it needs a cluster": 8,
    "it loads MLflow and TensorBoard": 1,
    "it sends 2 GB, and Ctrl-C interrupts it": 1,
    "it fills a disk": 1,
    "its files are the competition's": 1,
}
"""Why blocks are not run here, and how many."""


def test_what_is_not_run() -> None:
    """Each marked block has a reason of the table, and the table has no more than there are."""
    reasons = [block.not_run for page in PAGES.values() for block in blocks(page) if block.not_run]
    found = {why: sum(reason.startswith(why) for reason in reasons) for why in NOT_RUN}
    assert found == NOT_RUN
    assert len(reasons) == sum(NOT_RUN.values())
    assert len([block for page in PAGES.values() for block in blocks(page) if not block.not_run]) > 2 * len(reasons)


def test_what_a_page_names_is_there() -> None:
    """Each preparation that a page names exists, and each that exists is named."""
    named = {name for page in PAGES.values() for block in blocks(page) for name in block.before}
    assert named == set(BEFORE)
