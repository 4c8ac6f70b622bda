"""Measures whether an address answers, how fast, and how far its clock is from ours. Sends no credentials."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import requests

from coordinator.clock import SYSTEM_CLOCK, Clock
from coordinator.errors import NoAnswer
from coordinator.target.addresses import is_loopback
from coordinator.target.proxies import proxy_setting

_TIME_OUT = (5.0, 10.0)  # seconds to connect, and to answer
_QUESTIONS = 3


@dataclass(frozen=True)
class Reached:
    """What a few answers showed."""

    seconds: float
    """The time of one request and its answer, on an open connection."""
    ahead: float | None
    """How many seconds this machine's clock is ahead of the other one, to a second; None if no answer has a date."""


def reach(endpoint: str, *, clock: Clock = SYSTEM_CLOCK) -> Reached:
    """Requests the front page of the address; any status counts as an answer. Raises NoAnswer."""
    taken, ahead = [], None
    setting = None if is_loopback(endpoint) else proxy_setting(endpoint)
    if setting and setting.problem:
        raise NoAnswer(f"{setting.variable}: {setting.problem}", hint="Correct that variable, or unset it.")
    with requests.Session() as session:
        session.trust_env = not is_loopback(endpoint)
        for _ in range(_QUESTIONS):
            begun, at = clock.monotonic(), clock.seconds()
            try:
                answer = session.head(endpoint, timeout=_TIME_OUT, allow_redirects=False)
            except (requests.exceptions.RequestException, OSError, ValueError) as error:
                # OSError: REQUESTS_CA_BUNDLE names no file.
                reason = type(error).__name__
                through = f", through the proxy that {setting.variable} names" if setting else ""
                raise NoAnswer(
                    f"{endpoint} does not answer ({reason}{through})",
                    hint="Is there a network, a proxy (https_proxy), a firewall? https://www.kaggle.com in a browser?\n"
                    "Does REQUESTS_CA_BUNDLE, if set, name a file of certificates?",
                ) from error
            taken.append(clock.monotonic() - begun)
            ahead = _ahead(answer.headers.get("Date"), at + taken[-1] / 2)
    return Reached(seconds=min(taken), ahead=ahead)


def _ahead(date: str | None, here: float) -> float | None:
    """Dates in HTTP have whole seconds: a smaller difference counts as none."""
    try:
        there = parsedate_to_datetime(date or "").timestamp()
    except ValueError:
        return None
    if there - 1 <= here <= there + 2:
        return 0.0
    return here - there - 0.5
