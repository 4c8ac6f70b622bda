"""Makes text from other sources (a log, a name, an answer of the target) safe to write to a terminal, or to paste."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable
from typing import Any

# Characters that change the direction of the text behind them: what is shown is not what is there (CVE-2021-42574).
_BIDI = "\u202a-\u202e\u2066-\u2069"
_NOT_SHOWN = f"\\x7f-\\x9f\\ud800-\\udfff{_BIDI}"
# Is removed: escape sequences (colours, titles), C0 and C1 control characters except tab and newline, lone surrogates,
# which no encoding can represent, and changes of direction.
_CONTROL = re.compile(
    r"(?:\x1b\[|\x9b)[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"
    rf"|[\x00-\x08\x0b-\x1f{_NOT_SHOWN}]"
)
_BULLET = re.compile(r"\s+(?:[-*•] )?|[-*•] ")
_LONGEST = 300
_RAW_IN_JSON = re.compile(f"[{_NOT_SHOWN}]")


def clean(text: str) -> str:
    """The text without control sequences; what follows a carriage return replaces the line, as in progress bars."""
    if text.isprintable():  # as nearly all are: none of these characters is
        return text
    return _CONTROL.sub("", text.rstrip("\r").rpartition("\r")[2])


def in_one_line(text: str) -> str:
    """The lines of a message as one: `a.csv is not in input, which holds: x/, x/b.csv; the next line`.

    Lines that are indented, or have a bullet, are the list of the line before them. Lines without a letter or a digit
    (rules, arrows) are left out. What is longer than 300 characters is cut.
    """
    found, was_item = "", False
    for line in map(clean, text.replace("\r\n", "\n").split("\n")):
        bullet = _BULLET.match(line)
        part = line[bullet.end() :].strip() if bullet else line.strip()
        if not any(map(str.isalnum, part)):
            continue
        between = "; " if not bullet else ", " if was_item else ": "
        found = _joined(found, between, part)
        was_item = bool(bullet)
    return found if len(found) <= _LONGEST else f"{found[: _LONGEST - 1].rstrip()}…"


def sentences(*parts: str) -> str:
    """The parts that are not empty as one text: `it failed; epoch 3`, but `It failed. epoch 3`."""
    found = ""
    for part in filter(None, parts):
        found = _joined(found, "; ", part)
    return found


def _joined(before: str, between: str, after: str) -> str:
    """Nothing but a space is put behind a punctuation mark."""
    return f"{before}{' ' if before.endswith(tuple('.:;,!?')) else between}{after}" if before else after


def command_line(*words: str) -> str:
    """The command as a line that can be pasted into a shell, whatever is in its words."""
    return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    if word.isprintable():
        return shlex.quote(word)
    escaped = word.encode("unicode_escape").decode("ascii").replace("'", "\\'")
    return f"$'{escaped}'"


def to_json(data: Any) -> str:
    """The JSON of a value, for people and programs: the characters that `clean` removes are escaped in it."""
    text = json.dumps(data, indent=2, ensure_ascii=False)
    return _RAW_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def shortened(text: str, width: int, mark: str = "…") -> str:
    """The text in at most `width` cells of a terminal, if need be without its middle: `base--…-s0 local-v3`.

    Names begin alike and end in what tells them apart, so more of the end is kept. A wide character (CJK,
    emoji) takes two cells, a combining one none. `mark` stands for the middle, and takes one cell.
    """
    from rich.cells import cell_len, get_character_cell_size  # not above: most of coord does without rich

    if cell_len(text) <= width:
        return text
    if width < 2:
        return mark[:width]

    def taken(characters: Iterable[str], cells: int) -> int:
        """How many of the characters fit into so many cells."""
        count = 0
        for character in characters:
            cells -= get_character_cell_size(character)
            if cells < 0:
                break
            count += 1
        return count

    head = text[: taken(text, width // 3)]
    tail = taken(reversed(text), width - 1 - cell_len(head))
    end = text[len(text) - tail :]
    # A combining mark belongs to the character before it, which is cut off.
    end = end.lstrip("".join(each for each in end if not get_character_cell_size(each)))
    return f"{head}{mark}{end}"
