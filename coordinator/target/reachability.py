"""Whether an address answers, how fast, and what time it is there. Sends no credentials."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import requests

from coordinator.clock import SYSTEM_CLOCK, Clock
from coordinator.errors import NoAnswer
from coordinator.target.addresses import is_loopback

_TIME_OUT = (5.0, 10.0)  # seconds to connect, and to answer
_QUESTIONS = 3


@dataclass(frozen=True)
class Reached:
    """What a few answers told."""

    seconds: float
    """Of one question and its answer, on a connection that stands."""
    ahead: float | None
    """How many seconds this machine's clock is ahead of the other one, to a second; None if that does not tell."""


def reach(endpoint: str, *, clock: Clock = SYSTEM_CLOCK) -> Reached:
    """Asks the address for its front page; any status will do. Raises NoAnswer."""
    taken, ahead = [], None
    with requests.Session() as session:
        session.trust_env = not is_loopback(endpoint)
        for _ in range(_QUESTIONS):
            begun, at = clock.monotonic(), clock.seconds()
            try:
                answer = session.head(endpoint, timeout=_TIME_OUT, allow_redirects=False)
            except requests.exceptions.RequestException as error:
                reason = type(error).__name__
                raise NoAnswer(
                    f"{endpoint} does not answer ({reason})",
                    hint="Is there a network, a proxy (https_proxy), a firewall? https://www.kaggle.com in a browser?",
                ) from error
            taken.append(clock.monotonic() - begun)
            ahead = _ahead(answer.headers.get("Date"), at + taken[-1] / 2)
    return Reached(seconds=min(taken), ahead=ahead)


def _ahead(date: str | None, here: float) -> float | None:
    """HTTP's dates have whole seconds: what lies between is no difference."""
    try:
        there = parsedate_to_datetime(date or "").timestamp()
    except ValueError:
        return None
    if there - 1 <= here <= there + 2:
        return 0.0
    return here - there - 0.5
