"""What each failure means, as one table: the error that a verb sees, what is said, and what to do next.

Kaggle says the same thing in several ways, and several things in the same way (403 for a kernel that does not exist,
for somebody else's private one and for an expired token), so rows go by status, by the kind of call and by the words.
The first that fits counts. Each has the date when it was last read or seen; sources as in `kaggle_rules`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from coordinator.errors import (
    CoordError,
    CredentialsError,
    Expired,
    Later,
    NoAccess,
    NoAnswer,
    NoSlot,
    NotSent,
    TargetError,
)
from coordinator.target.kaggle.policy import Failed, Failure, Kind

_READS = frozenset({Kind.READ, Kind.STREAM, Kind.DOWNLOAD})
_EVERY = frozenset(Kind)
_NEW_TOKEN = "Make a new token at https://www.kaggle.com/settings."


@dataclass(frozen=True)
class Meaning:
    error: type[CoordError]
    what: str
    """Follows what was being done. {target}, {endpoint}, {source} (of the credentials), {status}, {detail} (the other
    side's own words, or nothing) and {when} (it wants to be asked again) are filled in."""
    hint: str | None
    failures: frozenset[Failure] = frozenset()
    """Empty: any."""
    statuses: frozenset[int] = frozenset()
    """HTTP statuses, 200 for an error that an answer names in a field; empty: any."""
    kinds: frozenset[Kind] = _EVERY
    words: str = ""
    """A regular expression that the other side's words have somewhere, whatever the case; empty: any."""
    seen: str = "2026-11"


_SAID = frozenset({200, 400, 403, 409, 422, 429})
"""Statuses with which Kaggle refuses in words. A 5xx in the same words may have taken effect."""

MEANINGS = (
    Meaning(
        NoSlot,
        "{target} runs as many sessions as it allows{detail}",
        "Push again when one has ended (coord status shows them), or with --wait-for-slot.",
        statuses=_SAID,
        words=r"session count",  # "Maximum batch GPU session count of 2 reached"
    ),
    Meaning(
        Later,
        "the quota is spent{detail}",
        "It is renewed once a week; a run without an accelerator needs none.",
        statuses=_SAID - {429},  # there, a quota is one of requests
        words=r"quota",
    ),
    Meaning(
        Later,
        "the day's submissions are spent{detail}",
        "There are new ones at midnight UTC.",
        statuses=_SAID - {429},
        words=r"submission allowance",  # "your team has used its daily Submission allowance (5) today"
    ),
    Meaning(
        Later,
        "{target} is still processing a data set{detail}",
        "Try again in a few minutes.",
        failures=frozenset({Failure.PROCESSING}),
    ),
    Meaning(
        Later,
        "{target} asks to slow down{detail}",
        "Try again in {when}.",
        failures=frozenset({Failure.THROTTLED}),
    ),
    Meaning(
        Later,
        "{target} answered with a web page where JSON was expected: it throttles, or is down for maintenance",
        "Try again in a few minutes.",
        failures=frozenset({Failure.HTML}),
        kinds=_READS,
    ),
    Meaning(
        NoAnswer,
        "{target} answered with a web page where JSON was expected: it throttles, or is down for maintenance",
        "Wait a few minutes and try again.",
        failures=frozenset({Failure.HTML}),
    ),
    Meaning(
        Expired,
        "{endpoint} does not take the file: HTTP {status}{detail}",
        "Its address has expired, or was never good: try again, with a new one.",
        statuses=frozenset({400, 401, 403, 404, 410, 413}),
        kinds=frozenset({Kind.UPLOAD}),
    ),
    Meaning(
        CredentialsError,
        "{target} did not accept the credentials from {source}",
        _NEW_TOKEN,
        statuses=frozenset({401}),
    ),
    Meaning(
        NoAccess,
        "{target} says {status}{detail}",
        "The kernel does not exist, is somebody else's and private, or your token has expired.",
        statuses=frozenset({403, 404}),
    ),
    Meaning(
        TargetError,
        "{target} refused with HTTP {status}{detail}",
        "It says so of a request that is too large (a source above 1 MiB) or that breaks a rule of its metadata.",
        statuses=frozenset({400, 413, 422}),
        kinds=frozenset({Kind.WRITE}),
    ),
    Meaning(
        NoAnswer,
        "{target} failed with HTTP {status}{detail}",
        "Try again in a few minutes.",
        failures=frozenset({Failure.DOWN}),
    ),
    Meaning(
        NotSent,
        "no connection to {endpoint}{detail}",
        "Is this machine online? Is a proxy needed (HTTPS_PROXY)?",
        failures=frozenset({Failure.CONNECT}),
    ),
    Meaning(
        NotSent,
        "there are no trusted certificates to check {endpoint} against{detail}",
        "Is it a file or a folder of certificates? It is named by REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE.",
        failures=frozenset({Failure.UNCHECKED}),
    ),
    Meaning(
        NoAnswer,
        "the certificate of {endpoint} is not trusted: someone may be listening",
        "Behind a proxy that opens TLS, name its certificate: REQUESTS_CA_BUNDLE=FILE.",
        failures=frozenset({Failure.UNTRUSTED}),
    ),
    Meaning(
        NoAnswer,
        "no answer from {endpoint} in time",
        "Try again in a few minutes.",
        failures=frozenset({Failure.TIMEOUT}),
    ),
    Meaning(
        NoAnswer,
        "the connection to {endpoint} was lost before the answer",
        "Try again.",
        failures=frozenset({Failure.RESET}),
    ),
    Meaning(
        NoAnswer,
        "{target}'s answer was cut off, or is not JSON",
        "Try again in a few minutes.",
        failures=frozenset({Failure.CUT}),
    ),
    Meaning(
        NoAnswer,
        "{target}'s answer is not usable{detail}",
        "Is {endpoint} really Kaggle? If so, coord may be too old for it.",
        failures=frozenset({Failure.UNUSABLE}),
    ),
    Meaning(
        NoAnswer,
        "{target} failed with HTTP {status}{detail}",
        "Try again in a few minutes.",
        statuses=frozenset(range(500, 600)),
    ),
    Meaning(TargetError, "{target} refused with HTTP {status}{detail}", None, statuses=frozenset(range(400, 500))),
    Meaning(TargetError, "{target} refused{detail}", None),
)


def meaning(failed: Failed) -> Meaning:
    """The first row that fits; the last one fits everything."""
    return next(row for row in MEANINGS if _fits(row, failed))


def explain(failed: Failed, doing: str, *, target: str, endpoint: str, source: str) -> CoordError:
    """The error that a verb sees: what was being done, what happened, what to do."""
    row = meaning(failed)
    words = {
        "target": target,
        "endpoint": failed.host or endpoint,
        "source": source,
        "status": failed.status,
        "detail": f": {failed.detail}" if failed.detail else "",
        "when": "a few minutes" if failed.retry_after is None else f"{failed.retry_after:,.0f} seconds",
    }
    return row.error(f"{doing}: {row.what.format(**words)}", hint=row.hint and row.hint.format(**words))


def _fits(row: Meaning, failed: Failed) -> bool:
    return (
        failed.kind in row.kinds
        and (not row.failures or failed.failure in row.failures)
        and (not row.statuses or failed.status in row.statuses)
        and (not row.words or re.search(row.words, failed.detail, re.IGNORECASE) is not None)
    )
