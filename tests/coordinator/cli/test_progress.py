"""How far a command is, as a terminal and a file show it."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys

import pytest

from coordinator.cli.progress import Display
from coordinator.progress import Count, Moment
from tests import forked

ERASED = "\r\x1b[2K"


def on_terminal(program: str, *, columns: int = 80, interrupt_at: str = "") -> tuple[str, int]:
    """What the program writes to stderr, a terminal, and its exit code; Ctrl-C is pressed once that text is shown."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": str(columns)}
    process = forked.start(
        [sys.executable, "-c", program], env=environment, stderr=theirs, stdout=subprocess.DEVNULL, text=True
    )
    os.close(theirs)
    shown = ""
    try:
        while chunk := os.read(ours, 4096):
            shown += chunk.decode(errors="replace")
            if interrupt_at and interrupt_at in shown:
                process.send_signal(signal.SIGINT)
                interrupt_at = ""
    except OSError:  # all is read
        pass
    os.close(ours)
    return shown, process.wait()


PROGRAM = """
import time
from coordinator.cli import progress
from coordinator.cli.terminal import say, show_text
from coordinator.progress import Count
{before}
with progress.DISPLAY(count := Count("reading results", {total}, "runs")):
    for number in count.each(range(6)):
        time.sleep(0.5)
        {each}
"""


def test_a_terminal_shows_a_bar_with_the_time_left() -> None:
    """After two seconds, in one line that ends erased and never reaches the last column."""
    shown, code = on_terminal(PROGRAM.format(before="", total=6, each=""))
    assert code == 0
    assert "reading results" in shown
    assert "━" in shown
    assert "5/6 runs, 0:01 left" in shown
    assert "1/6 runs" not in shown
    assert shown.endswith(ERASED)
    assert "\n" not in shown
    assert "\x1b[?25l" not in shown, "the cursor is never hidden"


def test_lines_go_above_the_bar() -> None:
    """The bar is erased first and drawn again."""
    shown, _ = on_terminal(PROGRAM.format(before="", total=6, each="say(f'line {number}')"))
    assert f"{ERASED}line 4\r\n{ERASED}" in shown
    assert shown.endswith((ERASED, "line 5\r\n"))


def test_what_nobody_can_count_tells_how_long_it_takes() -> None:
    """It has no share; the bar moves all the same."""
    shown, _ = on_terminal(PROGRAM.format(before="", total=None, each="count.tell(f'step {number}')"))
    assert re.search(r"[0-9] runs, step [0-9], 0:0[0-9] so far", shown)


def test_ctrl_c_leaves_a_clean_line() -> None:
    """What is said then stands at the line's beginning."""
    body = "".join(
        f"        {line}\n"
        for line in PROGRAM.format(before="", total=600, each="").replace("range(6)", "range(600)").splitlines()
    )
    program = f"""
import typer
from coordinator.cli.common import ended
try:
    with ended():
{body}
except typer.Exit as end:
    raise SystemExit(end.exit_code) from None
"""
    shown, code = on_terminal(program, interrupt_at="/600 runs")
    assert f"{ERASED}interrupted\r\n" in shown
    assert shown.endswith("interrupted\r\n")
    assert code == 130


@pytest.mark.parametrize("columns", [20, 40, 80, 200])
def test_the_line_fits(columns: int) -> None:
    """Whatever the width is, the line does not wrap; labels are cut before figures."""
    before = "import coordinator.cli.progress as p\np.SHOWN_AFTER = 0.0"
    program = PROGRAM.format(before=before, total=6, each="").replace("reading results", "reading " + "long " * 12)
    shown, _ = on_terminal(program, columns=columns)
    lines = [each.replace("\x1b[0m", "") for each in shown.split(ERASED)]
    plain = [_without_colours(each) for each in lines]
    assert max(map(len, plain)) < columns
    assert any("runs" in each for each in plain)


def _without_colours(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


class _Job:
    label = "bundling"

    def moment(self) -> Moment:
        return Moment("1/2 files, 0:10 left", 0.5)


def test_without_a_terminal_a_line_every_thirty_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing for what is quick."""
    clock = [0.0]
    display = Display(lambda: clock[0])
    with display(_Job()):
        for _ in range(65):
            clock[0] += 1.0
            display.tick()
    assert capsys.readouterr() == ("", "bundling: 1/2 files, 0:10 left\n" * 2)


def test_the_innermost_job_that_takes_long_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """A short one within it does not take its place."""
    clock = [0.0]
    display = Display(lambda: clock[0])
    outer = Count("fetching", 3, "runs", clock=lambda: clock[0])
    with display(outer):
        clock[0] = 29.0
        with display(_Job()):
            clock[0] = 30.5
            display.tick()
            clock[0] = 61.0
            display.tick()
    assert capsys.readouterr().err == "fetching: 0/3 runs, -:-- left\nbundling: 1/2 files, 0:10 left\n"


def test_a_dumb_terminal_gets_no_escape_sequences() -> None:
    """As one that is none."""
    program = "import os\nos.environ['TERM'] = 'dumb'\n" + PROGRAM.format(before="", total=6, each="")
    assert on_terminal(program) == ("", 0)
