"""Makes text from other sources (a log, a name, an answer of the target) safe to write to a terminal, or to paste."""

from __future__ import annotations

import re
import shlex

# Is removed: escape sequences (colours, titles), C0 and C1 control characters except tab and newline, and lone
# surrogates, which no encoding can represent.
_CONTROL = re.compile(
    r"(?:\x1b\[|\x9b)[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]"
)


def clean(text: str) -> str:
    """The text without control sequences; what follows a carriage return replaces the line, as in progress bars."""
    return _CONTROL.sub("", text.rstrip("\r").rpartition("\r")[2])


def command_line(*words: str) -> str:
    """The command as a line that can be pasted into a shell, whatever is in its words."""
    return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    if word.isprintable():
        return shlex.quote(word)
    escaped = word.encode("unicode_escape").decode("ascii").replace("'", "\\'")
    return f"$'{escaped}'"
