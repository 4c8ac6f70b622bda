"""The texts in a file that are searched for secrets: all of it, what goes on in another line, cells, wide letters."""

from __future__ import annotations

import bisect
import json
import re
from collections.abc import Callable, Iterator
from itertools import pairwise

View = tuple[bytes, Callable[[int], int]]
"""A text that is searched, and the line of each position in it."""
_ESCAPES = tuple((f"\\{each}".encode(), 2 * (each if each in "\"'" else " ").encode()) for each in "nrt\"'")
_LONG_ESCAPE = re.compile(rb"""\\{2,}[nrt"']""")
# A text that goes on in the next literal or line: `"a" "b"`, `"a" + "b"`, `a\\` at the end of a line, a wrapped key.
# Each begins with a character to look for, which is fast; what stands before it is looked at then.
_JOINTS = (
    re.compile(rb"""["'](?<=[\w+/=.~-]{3}["'])(?:\s|\\\r?\n|\+)+[bBrRuUfF]{0,2}["'](?=[\w+/=.~-]{3})"""),
    re.compile(rb"""\\(?<=[\w+/=.~-]{3}\\)\r?\n[ \t]*(?=[\w+/=.~-]{3})"""),
)  # as one expression they take half as long again
# Of this one the beginning is found by a plain search, in a text in which all characters of keys are the same.
_WRAPPED = re.compile(rb"""[\r\n]\n?[ \t]*(?=[\w+/=.~-]{4,}["'\s;,)])""")
_BEFORE_WRAP = b"a" * 16 + b"\n"
_OF_WRAPPED = bytes(
    ord("a") if re.match(rb"[\w+/=-]", bytes([each])) else ord("\n") if each in b"\r\n" else ord(" ")
    for each in range(256)
)
_AROUND = 200
"""Bytes on both sides of a joint that are searched."""
# Letters of 16 or 32 bits.
_WIDE = re.compile(rb"(?:[\t\n\r\x20-\x7e]\0{1,3}){15,}[\t\n\r\x20-\x7e]?")


def views(data: bytes) -> Iterator[View]:
    text = _without_escapes(data) if b"\\" in data else data
    yield text, _lines(text)
    yield from _joined(text)
    if b"\0" in data:
        line_of = _lines(data)
        for wide in _WIDE.finditer(data):
            narrow = wide[0].replace(b"\0", b"")
            yield narrow, _lines(narrow, line_of(wide.start()))
    if b'"cells"' in data:
        yield from _cells(data)


def _lines(text: bytes, first: int = 1) -> Callable[[int], int]:
    """Gives the line of a position. The line ends are searched once, when there is something to tell."""
    ends: list[int] = []

    def line(position: int) -> int:
        if not ends:
            ends.extend(end.start() for end in re.finditer(b"\n", text))
            ends.append(len(text))
        return bisect.bisect_left(ends, position) + first

    return line


def _without_escapes(text: bytes) -> bytes:
    """Escapes become spaces, so that a key after "\\n" in a JSON file begins a word, and lines stay as they are."""
    if b"\\\\" in text:
        text = _LONG_ESCAPE.sub(_unescaped, text)
    for escape, instead in _ESCAPES:
        text = text.replace(escape, instead)
    return text


def _unescaped(escape: re.Match[bytes]) -> bytes:
    last = escape[0][-1:]
    return len(escape[0]) * (last if last in b"\"'" else b" ")


def _joined(text: bytes) -> Iterator[View]:
    """What stands around the joints of the text, in one piece."""
    joints = [(0, 0)]
    found = [joint.span() for pattern in _JOINTS for joint in pattern.finditer(text)]
    for span in sorted([*found, *_wraps(text)]):
        joints += [span] if span[0] >= joints[-1][1] else []
    if len(joints) == 1:
        return
    pieces, length, starts = [], 0, [(0, 0)]  # (position in the view, position in the text)
    for (_, begin), (end, _) in pairwise([*joints, (len(text), len(text))]):
        cut = [(begin, end)] if end - begin <= 2 * _AROUND else [(begin, begin + _AROUND), (end - _AROUND, end)]
        for start, stop in cut:
            starts.append((length, start))
            pieces.append(text[start:stop] + (b"\n" if stop != end else b""))
            length += len(pieces[-1])

    line_of = _lines(text)

    def line(position: int) -> int:
        begin, start = starts[bisect.bisect_right(starts, (position, len(text))) - 1]
        return line_of(start + position - begin)

    yield b"".join(pieces), line


def _wraps(text: bytes) -> Iterator[tuple[int, int]]:
    """Start and end of what stands between two lines of a wrapped key."""
    alike, start = text.translate(_OF_WRAPPED), -1
    while (start := alike.find(_BEFORE_WRAP, start + 1)) >= 0:
        if wrap := _WRAPPED.match(text, start + len(_BEFORE_WRAP) - 1):
            yield wrap.span()


def _cells(data: bytes) -> Iterator[View]:
    """The cells of a notebook as they are run; every position is told as the line of the first text of its cell."""
    try:
        notebook = json.loads(data)
        sources = ["".join(cell["source"]) for cell in notebook["cells"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        return
    for source in sources:
        cell = source.encode("utf-8", "surrogatepass")
        first = json.dumps(source.partition("\n")[0], ensure_ascii=False)[1:-1].encode("utf-8", "surrogatepass")
        where = data.count(b"\n", 0, max(0, data.find(first))) + 1
        for text, line in _joined(cell):
            yield text, lambda position, line=line, where=where: where + line(position) - 1  # type: ignore[misc]
