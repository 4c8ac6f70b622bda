"""Jobs side by side in a bounded number of threads, which Ctrl-C can leave behind."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

_WAIT_SECONDS = 0.25
_END_SECONDS = 2.0

E = TypeVar("E", bound=Exception)


def run(
    jobs: Sequence[Callable[[], None]],
    *,
    threads: int,
    stop: threading.Event,
    tolerated: type[E],
    at_most: int,
) -> list[E]:
    """Runs the jobs in their order, `threads` at a time, and returns the errors of the kind that is tolerated.

    More of these than `at_most`, any other error, or Ctrl-C begin no further job and set `stop` for those that run; the
    latter two are raised. A thread that waits for a silent server is not waited for then: it
    does nothing more, and ends with the program.
    """
    waiting: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
    ended: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
    for job in jobs:
        waiting.put(job)

    def work() -> None:
        while not stop.is_set():
            try:
                job = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                job()
            except BaseException as error:
                ended.put(error)
            else:
                ended.put(None)

    workers = [
        threading.Thread(target=work, name=f"job-{number}", daemon=True) for number in range(min(threads, len(jobs)))
    ]
    errors: list[E] = []
    try:
        for worker in workers:
            worker.start()
        left = len(jobs)
        while left and len(errors) <= at_most:
            try:
                error = ended.get(timeout=_WAIT_SECONDS)
            except queue.Empty:
                continue  # a wait without end could not be interrupted on every system
            left -= 1
            if isinstance(error, tolerated):
                errors.append(error)
            elif error is not None:
                raise error
        if left:
            stop.set()
    except BaseException:
        stop.set()
        raise
    finally:
        for worker in workers:
            if worker.ident is not None:
                worker.join(_END_SECONDS / len(workers) if stop.is_set() else None)
    return errors
