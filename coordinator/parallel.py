"""Jobs side by side in a bounded number of threads, which Ctrl-C can leave behind."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

_BEAT_SECONDS = 0.25
_END_SECONDS = 2.0

E = TypeVar("E", bound=Exception)


def run(
    jobs: Sequence[Callable[[], None]],
    *,
    threads: int,
    stop: threading.Event,
    beat: Callable[[], None],
    tolerated: type[E],
    at_most: int,
) -> list[E]:
    """Runs the jobs in their order, `threads` at a time, and returns the errors of the kind that is tolerated.

    The first other error, more tolerated ones than `at_most`, or Ctrl-C begins no further job, sets `stop` for those
    that run, and is raised. `beat` is called here several times a second. A thread that waits for a silent server is
    not waited for: it does nothing more, and ends with the program.
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
        while left:
            try:
                error = ended.get(timeout=_BEAT_SECONDS)
            except queue.Empty:
                beat()
                continue
            left -= 1
            beat()
            if isinstance(error, tolerated):
                errors.append(error)
                if len(errors) > at_most:
                    raise errors[0]
            elif error is not None:
                raise error
    except BaseException:
        stop.set()
        for worker in workers:
            if worker.ident is not None:
                worker.join(_END_SECONDS / len(workers))
        raise
    for worker in workers:
        worker.join()
    return errors
