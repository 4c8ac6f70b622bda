"""Jobs in threads: their order and number, which errors end them, and who is waited for at the end."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Sequence

import pytest

from coordinator.transfers import parallel


def run(
    jobs: Sequence[Callable[[], None]],
    *,
    threads: int = 1,
    stop: threading.Event | None = None,
    at_most: int = 1,
) -> list[ValueError]:
    """The jobs, of whose errors ValueError is tolerated."""
    stop = stop or threading.Event()
    return parallel.run(jobs, threads=threads, stop=stop, tolerated=ValueError, at_most=at_most)


def fail(error: BaseException) -> None:
    raise error


def test_jobs_begin_in_their_order() -> None:
    """With one thread, one after the other; no job at all is no error."""
    done: list[int] = []
    assert run([functools.partial(done.append, number) for number in range(20)]) == []
    assert done == list(range(20))
    assert run([]) == []


def test_no_more_jobs_run_at_once_than_there_are_threads() -> None:
    """Three threads, and all three are used."""
    lock, together, counts = threading.Lock(), threading.Barrier(3), list[int]()
    running = 0

    def job(waits: bool) -> None:
        nonlocal running
        with lock:
            running += 1
            counts.append(running)
        if waits:
            together.wait(timeout=10)  # passes only if three are here at once
        time.sleep(0.01)
        with lock:
            running -= 1

    assert run([functools.partial(job, number < 3) for number in range(12)], threads=3) == []
    assert max(counts) == 3


def test_a_tolerated_error_lets_the_others_go_on() -> None:
    """It is returned, with all of its kind up to the limit."""
    done: list[int] = []
    one, two = (functools.partial(fail, ValueError(name)) for name in ("one", "two"))
    errors = run([one, functools.partial(done.append, 1), two, functools.partial(done.append, 2)], at_most=2)
    assert [str(error) for error in errors] == ["one", "two"]
    assert done == [1, 2]


def test_too_many_tolerated_errors_end_the_rest() -> None:
    """No job begins any more, and those that run are told by `stop`."""
    done: list[int] = []
    stop = threading.Event()
    jobs: list[Callable[[], None]] = [lambda: fail(ValueError("bad"))] * 2
    # The one thread may have taken the next job by the time that the second error is seen.
    errors = run([*jobs, lambda: time.sleep(0.5), functools.partial(done.append, 1)], stop=stop)
    assert len(errors) == 2
    assert stop.is_set()
    assert done == []


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()], ids=lambda each: type(each).__name__)
def test_any_other_error_is_raised(error: BaseException) -> None:
    """At once, though another job would run for a minute: that one is told by `stop`."""
    stop = threading.Event()
    seen: list[bool] = []
    begun = time.monotonic()
    with pytest.raises(type(error)):
        run([lambda: seen.append(stop.wait(60)), lambda: fail(error)], threads=2, stop=stop)
    assert time.monotonic() - begun < 10
    assert seen == [True]


def test_a_thread_that_does_not_listen_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for a silent server: the caller gets the error after a short while, and the thread is a daemon."""
    monkeypatch.setattr(parallel, "_END_SECONDS", 0.2)
    silence, threads = threading.Event(), list[threading.Thread]()

    def wait() -> None:
        threads.append(threading.current_thread())
        silence.wait(60)

    begun = time.monotonic()
    with pytest.raises(OSError, match="reset"):
        run([wait, lambda: fail(OSError("reset"))], threads=2)
    assert time.monotonic() - begun < 10
    assert [thread.daemon for thread in threads] == [True]
    silence.set()
    threads[0].join(timeout=10)
