"""Deadlines from outside: what waits for a server is ended at its time by another thread.

The time-out of a socket begins anew with each byte, so a server that sends one every few seconds would hold a call for
as long as it likes.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator

_REST_SECONDS = 1.0
"""The longest pause of the thread, and how long it stays when there is nothing to watch."""


@contextlib.contextmanager
def within(seconds: float, end: Callable[[], object]) -> Iterator[None]:
    """Runs the block; when it has taken `seconds`, another thread calls `end`, which has to make it return soon.

    Raises TimeoutError then, whatever the block returned or raised. `end` is never called after the block; it must not
    wait, and may fail if there is nothing left to end.
    """
    limit = _Limit(time.monotonic() + seconds, end)
    _watch.add(limit)
    try:
        yield
    except Exception:
        if not limit.has_passed:
            raise
    finally:
        _watch.remove(limit)
    if limit.has_passed:
        raise TimeoutError


class _Limit:
    def __init__(self, until: float, end: Callable[[], object]) -> None:
        self.until, self.end = until, end
        self.has_passed = False


class _Watch:
    """One thread for all limits, which ends when it has had nothing to do for a while."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._limits: set[_Limit] = set()
        self._wakes: float | None = None
        """When the thread looks again; None if there is none."""

    def add(self, limit: _Limit) -> None:
        with self._changed:
            self._limits.add(limit)
            if self._wakes is None:
                self._wakes = limit.until
                threading.Thread(target=self._run, name="deadlines", daemon=True).start()
            elif limit.until < self._wakes:
                self._changed.notify()

    def remove(self, limit: _Limit) -> None:
        with self._changed:
            self._limits.discard(limit)

    def _run(self) -> None:
        with self._changed:
            while True:
                self._end_what_is_due()
                rests = not self._limits
                pause = min([_REST_SECONDS, *(limit.until - time.monotonic() for limit in self._limits)])
                self._wakes = time.monotonic() + pause
                self._changed.wait(max(0.0, pause))
                if rests and not self._limits:
                    self._wakes = None
                    return

    def _end_what_is_due(self) -> None:
        now = time.monotonic()
        for limit in [limit for limit in self._limits if limit.until <= now]:
            self._limits.remove(limit)
            limit.has_passed = True
            with contextlib.suppress(OSError, ValueError, RuntimeError):  # it has just ended by itself
                limit.end()


_watch = _Watch()


def _begin_anew() -> None:
    global _watch
    _watch = _Watch()


# A process that was forked has not this thread, and may have its lock locked.
os.register_at_fork(after_in_child=_begin_anew)
