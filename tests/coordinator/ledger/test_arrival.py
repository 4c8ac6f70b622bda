"""The protocol for a request whose answer was lost: how often it is asked for, and what ends the asking."""

from __future__ import annotations

import pytest

from coordinator.clock import Clock
from coordinator.errors import CoordError, Later, NoAnswer
from coordinator.ledger.arrival import ARRIVAL_SECONDS, Unanswered
from tests.coordinator.scripted import Time

SENT = 1000.0


class Asked:
    """Gives one answer after the other, the last one again and again, and notes when it was asked."""

    def __init__(self, time: Time, *answers: str | CoordError | None) -> None:
        self.time, self.answers, self.moments = time, list(answers), list[float]()

    def __call__(self) -> str | None:
        self.moments.append(self.time.now - SENT)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, CoordError):
            raise answer
        return answer


@pytest.fixture
def time() -> Time:
    return Time(SENT)


def _waited(time: Time, *answers: str | CoordError | None) -> tuple[str, list[float]]:
    asked = Asked(time, *answers)
    found = Unanswered(SENT, asked, lambda: "given up").wait(Clock(time.clock, sleep=time.sleep))
    return found, asked.moments


def test_it_is_asked_for_ever_more_patiently(time: Time) -> None:
    """The first question comes at once; what is found ends the asking."""
    assert _waited(time, None, None, None, None, None, None, "found") == (
        "found",
        [0.0, 1.0, 3.0, 7.0, 15.0, 30.0, 45.0],
    )


def test_it_is_given_up_after_the_time_in_which_it_may_arrive(time: Time) -> None:
    """Not before: the last question is asked after that time."""
    found, moments = _waited(time, None)
    assert found == "given up"
    assert moments[-2] <= ARRIVAL_SECONDS < moments[-1]


@pytest.mark.parametrize("silence", [NoAnswer("no answer"), Later("slow down")])
def test_two_silences_in_a_row_end_the_asking(time: Time, silence: CoordError) -> None:
    """One alone does not, and nothing is given up for a silence; any other error ends it at once."""
    assert _waited(time, silence, None, silence, "found")[0] == "found"
    with pytest.raises(type(silence)):
        _waited(time, None, silence)
    with pytest.raises(CoordError, match="not allowed"):
        _waited(time, CoordError("not allowed"))


def test_one_question(time: Time) -> None:
    """Found, not known yet, or given up; at the last moment it may still arrive."""
    clock = Clock(time.clock)
    for passed, answer, expected in (
        (0.0, "found", "found"),
        (ARRIVAL_SECONDS, None, None),
        (ARRIVAL_SECONDS + 1, None, "given up"),
        (ARRIVAL_SECONDS + 1, "found", "found"),
    ):
        time.now = SENT + passed
        assert Unanswered(SENT, Asked(time, answer), lambda: "given up").settle(clock) == expected
