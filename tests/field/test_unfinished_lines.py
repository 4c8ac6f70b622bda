"""An event behind an unfinished line: progress bars, dots, carriage returns, colours, two writers of one line.

Seen: found by trying it on coord (`print(".", end="", flush=True)` before an event).
"""

from __future__ import annotations

import contextlib
import io
import sys
from pathlib import Path

import pytest

from coordinator.cli.terminal import LogPrinter
from coordinator.project.result_settings import MetricsSettings
from coordinator.results import Sources, log_lines
from coordinator.results.events import event_of
from coordinator.runs.refresh import newest_first, reported
from coordinator.target.protocol import LogRecord
from model_src.output.report import Report

ONE = 'COORD {"event": "epoch", "epoch": 1, "metrics": {"loss": 0.5}}'
TWO = 'COORD {"event": "epoch", "epoch": 2}'
TOLD = 'COORD {"event": "epoch", "text": "see COORD {\\"event\\": \\"epoch\\"} or }"}'

# What a stream holds -> its lines as they are shown, events among them.
WITH_EVENTS = {
    "behind a dot": (f".{ONE}\n", [".", ONE]),
    "behind a blank": (f" {ONE}\n", [ONE]),
    "behind a word": (f"loading {ONE}\n", ["loading", ONE]),
    "behind a bracket": (f"[{ONE}\n", ["[", ONE]),
    "behind a brace": (f"COORD {{{ONE}\n", ["COORD {", ONE]),
    "behind a bar": (f" 50%|#####     | 1/2{ONE}\n", ["50%|#####     | 1/2", ONE]),
    "behind a bar that came back": (f" 50%|##\r100%|####{ONE}\n", ["100%|####", ONE]),
    "behind a bar that was taken away": (f" 50%|##\r       \r{ONE}\n", [ONE]),
    "before a carriage return": (f"{ONE}\r\n", [ONE]),
    "before a bar": (f"{ONE}\r 60%|###\n", [ONE, " 60%|###"]),
    "between two bars": (f" 10%|\r.{ONE}\r 60%|###\n{TWO}\n", [ONE, " 60%|###", TWO]),
    "in colours": (f"\x1b[32m.\x1b[1m{ONE}\x1b[0m\n", [".", ONE]),
    "behind a cursor that moved": (f"\x1b[A\x1b[2K 5%|\r\x1b[A{ONE}\n", [ONE]),
    "two": (f"{ONE}{TWO}\n\n", [ONE, TWO, ""]),
    "two with text": (f"a {ONE} b {TWO} c\n", ["a", ONE, "b", TWO, " c"]),
    "text behind": (f"{ONE}hello\n\n", [ONE, "hello", ""]),
    "a bracket behind": (f"{ONE}}}\n", [ONE, "}"]),
    "not the first": (f'COORD {{"event": 5}} {ONE}\n', ['COORD {"event": 5}', ONE]),
    "behind half an event": (f'COORD {{"event": "epo{ONE}\n', ['COORD {"event": "epo', ONE]),
    "of an event in a text": (f".{TOLD}\n", [".", TOLD]),
    "no newline at all": (f"..{ONE}", ["..", ONE]),
}
# Lines about events.
WITHOUT = [
    f"print('{ONE}')",
    f'write("{TWO}")',
    f"`{TWO}`",
    f"['a', '{TWO}']",
    'COORD {"event": 5} and COORD {} and COORD []',
    'COORD {"metrics": {"loss": 0.5}}',
    'RECORD {"event": "epo',
    "COORD {" * 2000,
    'x COORD {"event":' * 2000,
    ". COORD " + '{"event":' * 5000,
]


def _records(text: str, size: int) -> list[LogRecord]:
    return [LogRecord("stdout", float(at), text[at : at + size]) for at in range(0, len(text), size)]


@pytest.mark.parametrize(("text", "lines"), WITH_EVENTS.values(), ids=WITH_EVENTS)
def test_every_event_is_read_wherever_it_stands(text: str, lines: list[str]) -> None:
    """In a log and a live log, however it is cut into records; the text beside it is shown as before."""
    for size in (len(text), 7, 1):
        assert list(log_lines(_records(text, size))) == lines
    last = next(newest_first(list(reported(_records(text, 9), MetricsSettings()))), None)
    assert last == [found for line in lines if (found := event_of(line))][-1]


@pytest.mark.parametrize("line", WITHOUT, ids=range(len(WITHOUT)))
def test_a_text_about_an_event_is_none(line: str) -> None:
    """A quoted event, half of one, or an object that is none: the line stays as it is."""
    assert list(log_lines(_records(line + "\n", 1000))) == [line]
    assert event_of(line) is None


def test_a_followed_log_shows_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What `coord logs` prints: the text, and the event in words."""
    printer = LogPrinter(Sources(tmp_path, {}), MetricsSettings())
    for record in _records(f"...{ONE}{TWO}tail\n", 11):
        printer.record(record)
    printer.end()
    assert capsys.readouterr().out.splitlines() == ["...", "» epoch 1: loss 0.5000", "» epoch 2", "tail"]


@pytest.mark.parametrize(
    ("before", "shown"),
    [
        (lambda: print(".", end="", flush=True), [".", "COORD"]),
        (lambda: print("50%\r100%", end=""), ["50%\r100%", "COORD"]),
        (lambda: sys.stdout.writelines(["a\n", "b"]), ["a", "b", "COORD"]),
        (lambda: print("a", "b", sep="\n", end=""), ["a", "b", "COORD"]),
        (lambda: print("done"), ["done", "COORD"]),
        (lambda: (print("done"), print("", end="")), ["done", "COORD"]),
        (lambda: None, ["COORD"]),
        (lambda: print(), ["", "COORD"]),
    ],
)
def test_the_report_finishes_a_line_first(tmp_path: Path, before: object, shown: list[str]) -> None:
    """Each event begins on a line of its own, and no line is left blank where the program has finished its own."""
    assert callable(before)
    with (
        contextlib.redirect_stdout(io.StringIO()) as out,
        Report(tmp_path, experiment="e", run_id="r", digest="d") as r,
    ):
        first = len(out.getvalue().split("\n")) - 1
        before()
        r.message("hello")
    lines = out.getvalue().split("\n")[first:]
    assert [line.partition(" ")[0] if line.startswith("COORD") else line for line in lines] == [*shown, "COORD", ""]


def test_the_report_leaves_the_output_as_it_was(tmp_path: Path) -> None:
    """After a run, also one that fails, the output is the program's own; within it has all that it had."""

    def fail() -> None:
        with Report(tmp_path, experiment="e", run_id="r", digest="d"):
            assert sys.stdout.encoding == before.encoding
            raise ZeroDivisionError

    before = sys.stdout
    with pytest.raises(ZeroDivisionError):
        fail()
    assert sys.stdout is before
