"""What a count tells of itself."""

from __future__ import annotations

from coordinator.progress import Count, Moment, minutes


def test_the_time_left_follows_from_the_time_that_it_took() -> None:
    """The mean of what is done, for what is not."""
    clock = [100.0]
    count = Count("reading", 4, "files", clock=lambda: clock[0])
    assert count.moment() == Moment("0/4 files, -:-- left", 0.0)
    items = count.each("abcd")
    next(items)
    clock[0] += 30.0
    next(items)
    assert count.moment() == Moment("1/4 files, 1:30 left", 0.25)
    count.expect(2)
    assert count.moment() == Moment("1/2 files, 0:30 left", 0.5)
    count.advance(9)
    assert count.moment() == Moment("10/2 files, 0:00 left", 1.0)


def test_without_a_total_the_time_so_far() -> None:
    """With what is worked on, if it is told."""
    clock = [0.0]
    count = Count("resolving", clock=lambda: clock[0])
    clock[0] = 65.0
    assert count.moment() == Moment("1:05 so far")
    count.tell("numpy")
    assert count.moment() == Moment("numpy, 1:05 so far")


def test_a_clock() -> None:
    """Hours only where there are any."""
    assert [minutes(each) for each in (0.4, 9, 725, 3723)] == ["0:00", "0:09", "12:05", "1:02:03"]
