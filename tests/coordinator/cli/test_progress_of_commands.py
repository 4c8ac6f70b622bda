"""Every command that may take long shows on a terminal how far it is, and leaves stdout to its answer."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.coordinator.bundle.programs import write_files
from tests.coordinator.command import Coord
from tests.coordinator.wheels.made import write_wheel

# As after two seconds, from the start on: what is tested here is that the job is told, not the clock.
AT_ONCE = (
    "import sys\nfrom coordinator.cli import progress\nprogress.SHOWN_AFTER = 0.0\n"
    "from coordinator.__main__ import main\nsys.argv[0] = 'coord'\nmain()\n"
)
NONE: Mapping[str, str] = {}


def on_terminal(coord: Coord, *words: str, variables: Mapping[str, str] = NONE) -> tuple[str, str]:
    """(stdout, a pipe; the lines that stderr, a terminal, showed one over the other) of a command that succeeds."""
    ours, theirs = pty.openpty()
    environment = {**coord.environment, **variables, "TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(
        [sys.executable, "-c", AT_ONCE, *words],
        cwd=coord.root,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
    )
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 4096):
            shown += chunk
    except OSError:  # all is read
        pass
    os.close(ours)
    out = process.communicate()[0]
    text = re.sub(r"\x1b\[[0-9;]*m", "", shown.decode())
    assert process.returncode == 0, text
    assert text.rpartition("\x1b[2K")[2].strip(" \r") == text.rpartition("\x1b[2K")[2].strip(" \r").rstrip("━")
    assert "\x1b" not in out
    return out, text


def _check(text: str, label: str, *, is_counted: bool = True) -> None:
    """The job had a line with a bar and the time left, and it was erased."""
    lines = [line for line in text.split("\r\x1b[2K") if line.startswith(f"{label} ")]
    assert lines, text
    assert all("━" in line for line in lines)
    if is_counted:
        assert re.search(r" [0-9:-]+ left", lines[-1]), lines
    assert f"{lines[-1]}\r\x1b[2K" in text


@pytest.fixture
def fetched(coord: Coord) -> Coord:
    coord.here("push", "--exp", "base", "--wait")
    coord.here("fetch-results", "--exp", "base")
    return coord


@pytest.mark.parametrize(
    ("command", "label"),
    [
        (("bundle", "tiny_model/train.py", "-o", "out.py", "--json"), "bundling"),
        (("build", "--exp", "base", "--json"), "building base"),
        (("report", "-o", "page.html", "--json"), "reading the runs"),
        (("report", "-o", "page.html", "--json"), "comparing"),
        (("report", "-o", "page.html", "--json"), "making the page"),
        (("ledger", "check", "--json"), "checking the ledger's file"),
        (("ledger", "check", "--json"), "reading results/"),
        (("ledger", "check", "--json"), "asking local"),
        (("fetch-results", "--exp", "base", "--force", "--json"), "fetching base local-v1"),
        (("fetch-results", "--exp", "base", "--force", "--json"), "fetching"),
    ],
    ids=lambda each: each if isinstance(each, str) else each[0],
)
def test_what_it_does_is_shown(fetched: Coord, command: tuple[str, ...], label: str) -> None:
    """Its answer is JSON all the same."""
    out, text = on_terminal(fetched, *command)
    json.loads(out)
    _check(text, label, is_counted=label not in ("reading the runs", "checking the ledger's file"))


def test_a_repair(fetched: Coord) -> None:
    """What is repaired is told above the bar."""
    (fetched.root / ".coord/ledger.sqlite").unlink()
    out, text = on_terminal(fetched, "ledger", "check", "--repair")
    assert "repaired: " in out
    _check(text, "reading results/")


def test_data_sets(coord: Coord, tmp_path: Path) -> None:
    """An upload and a download."""
    write_files(tmp_path / "data", {f"{number}.csv": "x" * 1000 for number in range(20)})
    out, text = on_terminal(coord, "data", "push", str(tmp_path / "data"), "ada/far-away", "--json")
    assert json.loads(out)["files"] == 20
    _check(text, "sending")
    out, text = on_terminal(coord, "data", "fetch", "ada/far-away", str(tmp_path / "far"), "--json")
    assert len(json.loads(out)["files"]) == 20
    _check(text, "fetching")


def test_a_merge(coord: Coord) -> None:
    """Of the folds of a split sweep."""
    coord.here("sweep", "--exp", "base", "--split-folds", "--name", "split")
    coord.here("sweep", "push", "split", "--wait")
    out, text = on_terminal(coord, "sweep", "merge", "split", "--json")
    json.loads(out)
    _check(text, "merging base")


def test_wheels(coord: Coord, tmp_path: Path) -> None:
    """pip's own bar is off; what it does is told all the same."""
    file = coord.root / "pyproject.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("[tool.coord]\n", '[tool.coord]\nrequirements = ["pure"]\n', 1), encoding="utf-8")
    (tmp_path / "index").mkdir()
    write_wheel(tmp_path / "index", "pure", files={"pure.py": ""})
    index = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path / "index")}
    for label in ("resolving", "downloading"):
        out, shown = on_terminal(coord, "wheels", "--no-push", "--json", variables=index)
        assert json.loads(out)["wheels"][0]["name"] == "pure"
        _check(shown, label, is_counted=False)
        for folder in (coord.root / ".coord/wheels").iterdir():
            for each in folder.iterdir():
                each.unlink()
            folder.rmdir()
