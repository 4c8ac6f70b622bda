"""Standard output and standard error as the commands need them.

A character that the encoding does not have (a Windows console's, say) is drawn with one that it has, if it is part of a
drawing, and else escaped as in JSON. What programs read (`exact`) is only escaped: JSON stays valid, and the same. An
error of standard output names it. An error of standard error is dropped: there is nobody to tell, and a push must not
end because its progress cannot be shown.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import json
import os
import sys
from collections.abc import Iterator
from typing import TextIO

STDOUT = "standard output"


class _Output(io.TextIOWrapper):
    def write(self, text: str) -> int:
        with self._told():
            super().write(text)
        return len(text)

    def flush(self) -> None:
        with self._told():
            super().flush()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            error.filename = STDOUT
            raise


class _Messages(_Output):
    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError:  # nobody reads them, also not later
            give_up(self)


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


_DRAWN = str.maketrans(
    "▁▂▃▄▅▆▇█" + "▉▊▋▌▍▎▏" + "░▒▓" + "─━│┃╴╵╶╷" + "┌┐└┘├┤┬┴┼╭╮╯╰" + "»›…·•–—×" + "✓✔✗✘" + "→←↑↓",
    "_.,-=+*#" + "#######" + ".+#" + "--||-|-|" + "+++++++++++++" + ">>~.*--x" + "vvxx" + "><^v",
)
"""Each takes as much room as what it stands for: columns stay in line."""


def _draw(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    pieces = (each.translate(_DRAWN) for each in error.object[error.start : error.end])
    return "".join(each if each.isascii() else json.dumps(each)[1:-1] for each in pieces), error.end


_ESCAPED, _SHOWN = "coord-escaped", "coord-shown"
codecs.register_error(_ESCAPED, _escape)
codecs.register_error(_SHOWN, _draw)


def exact(text: str) -> str:
    """The text for programs: the characters that standard output does not have are escaped as in JSON."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, _ESCAPED).decode(encoding)


@contextlib.contextmanager
def prepared() -> Iterator[None]:
    """Such streams as sys.stdout and sys.stderr, within the block; a closed one fails when something is printed."""
    fill()
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _made(_Output, sys.stdout), _made(_Messages, sys.stderr)
    try:
        yield
    finally:
        for stream, old in zip((sys.stdout, sys.stderr), before, strict=True):
            if isinstance(stream, _Output):
                _detach(stream, is_ours=old is None)
        sys.stdout, sys.stderr = before


def _detach(stream: _Output, *, is_ours: bool) -> None:
    """Lets go of what the stream writes to, which stays open unless it is ours."""
    try:
        buffer = stream.detach()
    except OSError:  # it was told already
        give_up(stream)
        buffer = stream.detach()
    if is_ours:
        buffer.close()


def fill() -> None:
    """Opens the descriptors that are closed: the next file, perhaps the ledger, would become standard output."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)


def _made(kind: type[_Output], stream: TextIO | None) -> TextIO:
    if stream is None:
        return kind(open(os.open(os.devnull, os.O_RDONLY), "wb"), encoding="utf-8")  # noqa: PTH123
    if not isinstance(stream, io.TextIOWrapper):
        return stream  # of a program that calls coord
    return kind(
        stream.buffer,
        encoding=stream.encoding,
        errors=_SHOWN,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def give_up(stream: TextIO) -> None:
    """Drops what could not be written: Python would try again when it exits, and report it."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, stream.fileno())
    os.close(nothing)
