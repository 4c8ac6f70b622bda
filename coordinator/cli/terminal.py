"""Printing: answers on stdout, progress on stderr. No other module prints."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from coordinator.errors import CoordError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from coordinator.ledger import Run
    from coordinator.target import LogRecord
    from coordinator.tracebacks import Place, Sources


class LogPrinter:
    """Prints a log's whole lines as they come, its events in words, its tracebacks with the project's own files."""

    def __init__(self, sources: Sources, *, as_json: bool = False, raw: bool = False, to_stderr: bool = False) -> None:
        from coordinator.metrics import Lines

        self._sources = sources
        self._as_json = as_json
        self._raw = raw
        self._out = sys.stderr if to_stderr else sys.stdout
        self._links = self._out.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._lines = Lines()

    def item(self, item: Run | LogRecord) -> Run | None:
        """Prints a record, or says where the run stands (and returns it)."""
        from coordinator.target import LogRecord

        if isinstance(item, LogRecord):
            self.record(item)
            return None
        say(f"{item.label} is {item.state}")
        return item

    def record(self, record: LogRecord) -> None:
        if self._as_json:
            print(json.dumps({"stream_name": record.stream, "time": record.time, "data": record.data}), flush=True)
        else:
            self._print(self._lines.feed(record))

    def end(self) -> None:
        self._print(self._lines.end())

    def _print(self, lines: list[str]) -> None:
        from coordinator import metrics

        for line in lines:
            event = None if self._raw else metrics.event(line)
            place = None if self._raw else self._sources.place(line)
            text = f"» {metrics.describe(event)}" if event else self._shown(place) if place else line
            print(text, file=self._out, flush=True)

    def _shown(self, place: Place) -> str:
        """The line with the path as a link, where that can be followed; the rest of it as it stands."""
        text = place.text
        if self._links and place.file is not None:
            text = f"{place.before}\x1b]8;;{place.file.as_uri()}\x1b\\{place.path}\x1b]8;;\x1b\\{place.after}"  # OSC 8
        return text + ("  (changed since)" if place.is_changed else "")


@contextlib.contextmanager
def transfers() -> Iterator[Callable[[str], Callable[[int], None]]]:
    """Progress of downloads on stderr; yields what a verb calls for each file."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    console = new_console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:

        def start(name: str) -> Callable[[int], None]:
            task = progress.add_task(name, total=None)
            return lambda count: progress.update(task, advance=count)

        yield start


def new_console(*, stderr: bool = False) -> Console:
    from rich.console import Console

    console = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        # Nobody's screen: a file or a pipe gets whole lines.
        console.width = 160
    return console


def answer(data: Any, renderable: Callable[[], RenderableType] | None = None) -> None:
    """The answer of a command: JSON if there is data, or else something for people."""
    if renderable is None or data is not None:
        print(json.dumps(data, indent=2, ensure_ascii=False))
    else:
        new_console().print(renderable())


def show_text(text: str) -> None:
    """A line of the answer."""
    print(text, flush=True)


def say(text: str) -> None:
    """A line of progress."""
    print(text, file=sys.stderr, flush=True)


def show_log(*, verbose: bool) -> None:
    """Shows what the modules log, on stderr: warnings, and each request to a target if that is wanted."""
    import logging  # a few milliseconds, which `coord --help` need not pay

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
