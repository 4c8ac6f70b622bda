"""Printing: answers on stdout, progress on stderr. No other module prints."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Self, TextIO

from coordinator.cli.progress import DISPLAY
from coordinator.cli.stdio import exact
from coordinator.errors import CoordError
from coordinator.text import clean, command_line, to_json

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

    from coordinator.ledger import Run
    from coordinator.project import MetricsSettings
    from coordinator.results import Place, Sources
    from coordinator.target import LogRecord


class LogPrinter:
    """Prints a log line by line, with its events in words and its tracebacks with the project's own files.

    On a terminal, inside a `with` block and with the run's `label`, it shows the metrics of the epoch below the log.
    """

    def __init__(
        self,
        sources: Sources,
        metrics: MetricsSettings,
        *,
        as_json: bool = False,
        raw: bool = False,
        to_stderr: bool = False,
        label: str = "",
    ) -> None:
        from coordinator.cli.tables.board import FoldMetrics
        from coordinator.results import LineReader, Lines

        self._sources = sources
        self._as_json = as_json
        self._raw = raw
        self._to_stderr = to_stderr
        self._label = label
        self._out = sys.stderr if to_stderr else sys.stdout
        self._is_terminal = self._out.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._lines = Lines()
        self._reader = LineReader(metrics)
        self._board = FoldMetrics()
        self._is_followed = False
        self._live: Live | None = None

    def __enter__(self) -> Self:
        self._is_followed = self._is_terminal and bool(self._label) and not self._as_json
        return self

    def __exit__(self, *_: object) -> None:
        self._is_followed = False
        if self._live is not None:
            self._live.stop()
            self._live = None

    def item(self, item: Run | LogRecord) -> Run | None:
        """Prints a record, or the state of a run, which it returns then."""
        from coordinator.target import LogRecord

        if isinstance(item, LogRecord):
            self.record(item)
            return None
        say(f"{item.label} {item.state.phrase}")
        return item

    def record(self, record: LogRecord) -> None:
        if self._as_json:
            print(json.dumps({"stream_name": record.stream, "time": record.time, "data": record.data}), flush=True)
        else:
            self._print(self._lines.feed(record))

    def end(self) -> None:
        self._print(self._lines.end())

    def _print(self, lines: list[str]) -> None:
        for line in lines:
            event = self._reader.event(line)
            place = None if self._raw else self._sources.place(line)
            text = f"» {event}" if event and not self._raw else line
            if self._live is None:
                print(self._shown(place) if place else text, file=self._out, flush=True)
            else:
                self._print_above(self._live, text, place)
            if self._is_followed and event and self._board.feed(event):
                self._show()

    def _print_above(self, live: Live, text: str, place: Place | None) -> None:
        from rich.style import Style
        from rich.text import Text

        shown = Text(text)
        if place is not None:
            link = Style(link=place.file.as_uri()) if place.file is not None else ""
            changed = "  (changed since)" if place.is_changed else ""
            shown = Text.assemble(place.before, (place.path, link), place.after, changed)
        live.console.print(shown, soft_wrap=True)

    def _show(self) -> None:
        from coordinator.cli.tables import runs as tables

        table = tables.board(self._label, self._board)
        if self._live is None:
            from rich.live import Live

            self._live = Live(console=new_console(stderr=self._to_stderr), auto_refresh=False, transient=True)
            self._live.start()
        self._live.update(table, refresh=True)

    def _shown(self, place: Place) -> str:
        """The line, with the path as a link if that can be followed."""
        text = place.text
        if self._is_terminal and place.file is not None:
            text = f"{place.before}\x1b]8;;{place.file.as_uri()}\x1b\\{place.path}\x1b]8;;\x1b\\{place.after}"  # OSC 8
        return text + ("  (changed since)" if place.is_changed else "")


_SIZE = re.compile(r"[2-9][0-9]|[1-9][0-9]{2,3}", re.ASCII)  # of a terminal


def _print(text: str, *, end: str = "\n", to: TextIO | None = None) -> None:
    with DISPLAY.above():
        print(text, end=end, file=to, flush=True)


def new_console(*, stderr: bool = False) -> Console:
    from rich.console import Console

    for name in ("COLUMNS", "LINES"):
        if not _SIZE.fullmatch(os.environ.get(name, "80")):
            del os.environ[name]  # 0, 1, or no number: rich would print nothing, or fail
    console = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not (console.is_terminal or "COLUMNS" in os.environ):
        # A file or a pipe: lines are not wrapped as for a screen.
        console.width = 160
    return console


def can_draw() -> bool:
    """Whether stdout is a terminal that one can draw on, not only write lines to."""
    console = new_console()
    return console.file.isatty() and console.is_terminal and not console.is_dumb_terminal


def answer(data: Any, renderable: Callable[[], RenderableType] | None = None) -> None:
    """Prints the answer of a command: JSON if there is data, or else a table or text for people."""
    if renderable is None or data is not None:
        _print(exact(to_json(data)))
    else:
        with DISPLAY.above():
            # Tables of a line a row (see tables/lines.py) are as wide as their rows where there is no screen.
            new_console().print(renderable(), crop=False)


def show_markdown(renderable: Callable[[], RenderableType]) -> None:
    """Prints the same table or text as Markdown."""
    from coordinator.cli.tables.markdown import markdown

    print(markdown(renderable()), end="\n\n", flush=True)


def show_line(data: Any) -> None:
    """Prints one line of JSON, at once."""
    _print(json.dumps(data))


def show_csv(table: Sequence[dict[str, Any]], columns: Sequence[str]) -> None:
    """Prints a header line (`columns` if there are no rows) and a line for each row; see `as_csv` for the cells."""
    from coordinator.ledger import as_csv

    _print(exact(as_csv(table, columns=columns)), end="")


def show_text(text: str) -> None:
    """Prints a line of the answer. Names in it may come from a target: control characters are removed."""
    _print(clean(text))


def say(text: str) -> None:
    """Prints a line of progress; see `show_text`."""
    _print(clean(text), to=sys.stderr)


def next_step(*command: str) -> None:
    """Names the command that most users need now."""
    say(f"next: {command_line('coord', *command)}")


def ask(question: str) -> str:
    """The line that is typed after the question; empty at the end of the input."""
    _print(question, end="", to=sys.stderr)
    return sys.stdin.readline()


def show_log(*, verbose: bool) -> None:
    """Shows on stderr what the modules log: warnings, and with `verbose` each request to a target."""
    import logging  # takes a few milliseconds, which `coord --help` does not need

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            say(record.getMessage())

    logger = logging.getLogger("coordinator")
    logger.handlers = [Lines()]
    logger.setLevel(logging.DEBUG if verbose else logging.WARNING)


def complain(error: CoordError) -> None:
    say(f"coord: {error.what}")
    if error.hint:
        say(error.hint)
