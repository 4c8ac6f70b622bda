"""What of a program's arguments and config values may be the paths of its files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

_INPUT = re.compile(r"dir|path|folder|root|file|data|conf|cfg|csv|yaml|json|input", re.IGNORECASE)
_OUTPUT = re.compile(r"out|save|log|dest|result|write|work|tmp|temp|cache|export|dump|run", re.IGNORECASE)
"""Names of options for what a program writes."""


def paths_named(arguments: Sequence[str], values: Iterable[tuple[str, Any]] = ()) -> tuple[tuple[str, str], ...]:
    """(text, what says it) of every argument and value that may be the path of a file or folder that is read."""
    given = [*_given(arguments), *((text, path) for path, value in values for text in _texts(value))]
    return tuple(
        (text, f"the value {name}" if name and not name.startswith("-") else f"the argument {name or text}")
        for text, name in given
        if _is_path(text, name)
    )


def _given(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(text, name of its option or key) of each argument."""
    option = ""
    for word in arguments:
        name, equals, text = word.partition("=")
        if word.startswith("-"):
            option = "" if equals else word
            if equals:
                yield text, name
        elif equals and re.fullmatch(r"[+~\w.@/-]+", name):
            yield text, name.lstrip("+~")
        else:
            yield word, option


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        yield from (each for each in value if isinstance(each, str))


def _is_path(text: str, name: str) -> bool:
    if not text.isprintable() or not 0 < len(text) < 256 or "://" in text or text.startswith("/"):
        return False
    is_input = _INPUT.search(name) is not None
    if _OUTPUT.search(name) and not is_input:
        return False
    if re.match(r"-*(?:out|save|log|dest|result|write)", name, re.IGNORECASE):
        return False
    suffix = PurePosixPath(text).suffix
    return "/" in text or is_input or (suffix[1:].isalnum() and not suffix[1:].isdigit() and len(suffix) < 9)
