"""Cuts what a program writes into records of one line each, as Kaggle's logs have them.

A line is passed on when it ends. What a program has written of a line and leaves there (a progress bar, a question) is
passed on after a moment, so that a live log shows it: such a line has several records. A record never has two lines.
"""

import codecs
from collections.abc import Callable, Sequence

from runner_test.sessions.log import Record

PATIENCE = 0.5  # seconds that the beginning of a line is kept back
LONGEST = 1 << 16  # characters of a line that is passed on without its end


class Stream:
    """One of a program's two output streams."""

    def __init__(self, name: str, emit: Callable[[Sequence[Record]], None], clock: Callable[[], float]) -> None:
        self._name = name
        self._emit = emit
        self._clock = clock
        # It waits for the rest of a split character.
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._begun: list[str] = []  # the pieces of a line without its end; they are joined once
        self._size = 0
        self._since = 0.0  # when the first of them came

    def feed(self, chunk: bytes) -> None:
        """Pass on the lines that end in this chunk."""
        self._add(self._decoder.decode(chunk))

    def settle(self) -> None:
        """Pass on the beginning of a line that was kept back for long enough."""
        if self._begun and self._clock() - self._since >= PATIENCE:
            self._pass([self._taken()])

    def end(self) -> None:
        """Pass on all that is left."""
        self._add(self._decoder.decode(b"", final=True))
        if self._begun:
            self._pass([self._taken()])

    def _add(self, text: str) -> None:
        if not text:
            return
        *ended, rest = text.split("\n")
        lines = [f"{line}\n" for line in ended]
        if lines and self._begun:
            lines[0] = self._taken() + lines[0]
        if rest:
            if not self._begun:
                self._since = self._clock()
            self._begun.append(rest)
            self._size += len(rest)
        if self._size >= LONGEST:
            lines.append(self._taken())
        self._pass(lines)

    def _taken(self) -> str:
        line = "".join(self._begun)
        self._begun, self._size = [], 0
        return line

    def _pass(self, lines: Sequence[str]) -> None:
        pieces = [line[at : at + LONGEST] for line in lines for at in range(0, len(line), LONGEST)]
        if pieces:
            now = round(self._clock(), 6)
            self._emit([Record(self._name, now, piece) for piece in pieces])
