"""What may be written to a terminal of a text that comes from elsewhere: a log, a name, an answer of the target's."""

from __future__ import annotations

import re

# What may not reach a terminal from a log: escape sequences (colours, titles), C0 and C1 control characters except tab
# and newline, and lone surrogates, which no encoding can print.
_CONTROL = re.compile(
    r"(?:\x1b\[|\x9b)[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]"
)


def clean(text: str) -> str:
    """The text as it may be written to a terminal; a carriage return starts the line again, as in progress bars."""
    return _CONTROL.sub("", text.rstrip("\r").rpartition("\r")[2])
