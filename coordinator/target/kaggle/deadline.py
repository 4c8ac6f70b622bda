"""Deadlines for whole operations on a connection, enforced by a second thread.

The time-out of a socket starts again with each byte, so a server that sends one every few seconds could delay a call
without limit.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from coordinator.system import after_fork

_IDLE_SECONDS = 1.0
"""The longest pause of the thread, and how long it stays alive without a deadline to watch."""


@contextlib.contextmanager
def within(seconds: float, end: Callable[[], object]) -> Iterator[None]:
    """Runs the block. After `seconds` another thread calls `end`, which has to make the block stop soon.

    Raises TimeoutError in that case, whatever the block did. `end` is never called after the block has ended. It must
    not block, and may raise OSError, ValueError or RuntimeError if there is nothing left to end.
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
    """One thread for all deadlines, which ends after a while without any."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._limits: set[_Limit] = set()
        self._wakes: float | None = None
        """When the thread checks again, by the monotonic clock in seconds; None if there is no thread."""

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
                self._end_overdue()
                is_idle = not self._limits
                pause = min([_IDLE_SECONDS, *(limit.until - time.monotonic() for limit in self._limits)])
                self._wakes = time.monotonic() + pause
                self._changed.wait(max(0.0, pause))
                if is_idle and not self._limits:
                    self._wakes = None
                    return

    def _end_overdue(self) -> None:
        now = time.monotonic()
        for limit in [limit for limit in self._limits if limit.until <= now]:
            self._limits.remove(limit)
            limit.has_passed = True
            with contextlib.suppress(OSError, ValueError, RuntimeError):  # the operation has just ended by itself
                limit.end()


_watch = _Watch()


def _start_again() -> None:
    global _watch
    _watch = _Watch()


# A forked process does not have the thread, and may have a copy of the lock that stays locked.
after_fork(_start_again)
