"""A file of a target that is being read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Download:
    """A file that is being read. Close it, read to its end or not."""

    start: int
    """Offset of the first byte: the one that was asked for, or 0 if the target cannot start in the middle."""
    size: int | None
    """Bytes of the whole file; None if the target does not say."""
    validator: str
    """Changes when the file does (HTTP's ETag, or else the time of its last change); empty if there is none."""
    chunks: Iterator[bytes]
    close: Callable[[], None]
