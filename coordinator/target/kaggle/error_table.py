"""The error for each failure, as one table: its class, its message and its hint.

Kaggle reports one problem in several ways, and several problems in one way (403 for a kernel that does not exist, for
somebody else's private one and for an expired token), so a row is chosen by the status, the kind of call and words in
the message. The first row that matches counts. Each has the month in which it was last checked; the sources are those
of `kaggle_rules`.
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
class ErrorRow:
    error: type[CoordError]
    what: str
    """The message, after the words for what was being done. {target}, {endpoint}, {source} (of the credentials),
    {status}, {detail} (the server's message, or nothing) and {when} (to try again) are filled in."""
    hint: str | None
    failures: frozenset[Failure] = frozenset()
    """Empty: all."""
    statuses: frozenset[int] = frozenset()
    """HTTP statuses, 200 for an error in a field of an answer; empty: all."""
    kinds: frozenset[Kind] = _EVERY
    words: str = ""
    """A regular expression that is searched in the server's message, in any case; empty: every message."""
    seen: str = "2026-11"


_REFUSED_IN_WORDS = frozenset({200, 400, 403, 409, 422, 429})
"""Statuses with which Kaggle refuses and says why. A call with a 5xx and the same words may have taken effect."""

ERROR_TABLE = (
    ErrorRow(
        TargetError,
        "{target} has no room{detail}",
        "Repeat the command when there is room.",
        statuses=frozenset({507}),  # RFC 4918: nothing was done. It is not repeated: the disk stays full
    ),
    ErrorRow(
        NoSlot,
        "{target} runs as many sessions as it allows{detail}",
        "Push again when one has ended (coord status shows them), or with --wait-for-slot.",
        statuses=_REFUSED_IN_WORDS,
        words=r"session count",  # "Maximum batch GPU session count of 2 reached"
    ),
    ErrorRow(
        TargetError,
        "{target} has no room for it{detail}",
        "Delete data sets or versions that you need no more (kaggle.com, Your Work), or send less.",
        statuses=_REFUSED_IN_WORDS - {429} | {413},
        words=r"data ?set.*(quota|storage|too large|size limit)|(quota|storage).*data ?set",
    ),
    ErrorRow(
        Later,
        "the quota is spent{detail}",
        "It is renewed once a week; a run without an accelerator needs none.",
        statuses=_REFUSED_IN_WORDS - {429},  # with 429 it is the quota of requests
        words=r"quota",
    ),
    ErrorRow(
        Later,
        "the day's submissions are spent{detail}",
        "There are new ones at midnight UTC.",
        statuses=_REFUSED_IN_WORDS - {429},
        words=r"submission allowance",  # "your team has used its daily Submission allowance (5) today"
    ),
    ErrorRow(
        TargetError,
        "{target} has something of that name already{detail}",
        "A data set whose title is the same counts, and one that was deleted a moment ago. Choose another name.",
        statuses=frozenset({409}),
        kinds=frozenset({Kind.CREATE}),
    ),
    ErrorRow(
        TargetError,
        "{target} has something of that name already{detail}",
        "Choose another name.",
        statuses=frozenset({200, 400}),
        kinds=frozenset({Kind.CREATE}),
        words=r"(slug|title|name).*(already|in use|taken)",
    ),
    ErrorRow(
        Later,
        "{target} is still processing a data set{detail}",
        "Try again in a few minutes.",
        failures=frozenset({Failure.PROCESSING}),
    ),
    ErrorRow(
        Later,
        "{target} asks to slow down{detail}",
        "Try again in {when}.",
        failures=frozenset({Failure.THROTTLED}),
    ),
    ErrorRow(
        Later,
        "{target} answered with a web page where JSON was expected: it throttles, or is down for maintenance",
        "Try again in a few minutes.",
        failures=frozenset({Failure.HTML}),
        kinds=_READS,
    ),
    ErrorRow(
        NoAnswer,
        "{target} answered with a web page where JSON was expected: it throttles, or is down for maintenance",
        "Wait a few minutes and try again.",
        failures=frozenset({Failure.HTML}),
    ),
    ErrorRow(
        Expired,
        "{endpoint} refused the file: HTTP {status}{detail}",
        "The address for it has expired or was never valid: try again, with a new one.",
        statuses=frozenset({400, 401, 403, 404, 410, 413}),
        kinds=frozenset({Kind.UPLOAD, Kind.PIECE}),
    ),
    ErrorRow(
        CredentialsError,
        "{target} did not accept the credentials from {source}",
        _NEW_TOKEN,
        statuses=frozenset({401}),
    ),
    ErrorRow(
        NoAccess,
        "{target} answered with HTTP {status}{detail}",
        "The kernel does not exist, is somebody else's and private, or your token has expired.",
        statuses=frozenset({403, 404}),
    ),
    ErrorRow(
        TargetError,
        "{target} refused with HTTP {status}{detail}",
        "The request may be too large (a source above 1 MiB), or break a rule for metadata.",
        statuses=frozenset({400, 413, 422}),
        kinds=frozenset({Kind.WRITE}),
    ),
    ErrorRow(
        NoAnswer,
        "{target} failed with HTTP {status}{detail}",
        "Try again in a few minutes.",
        failures=frozenset({Failure.DOWN}),
    ),
    ErrorRow(
        NotSent,
        "no connection to {endpoint}{detail}",
        "Is this machine online? Is a proxy needed, or the wrong one set (https_proxy, no_proxy)?",
        failures=frozenset({Failure.CONNECT}),
    ),
    ErrorRow(
        NotSent,
        "no connection to {endpoint}{detail}",
        "Correct that variable, or unset it; no_proxy has the hosts that need no proxy.",
        failures=frozenset({Failure.SETTINGS}),
    ),
    ErrorRow(
        NotSent,
        "there are no trusted certificates to check {endpoint} against{detail}",
        "REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE, if set, has to name a file or a folder of certificates.",
        failures=frozenset({Failure.UNCHECKED}),
    ),
    ErrorRow(
        NotSent,
        "the certificate of {endpoint} is not trusted: the connection may be intercepted",
        "Behind a proxy that decrypts TLS, name its certificate: REQUESTS_CA_BUNDLE=FILE.",
        failures=frozenset({Failure.UNTRUSTED}),
    ),
    ErrorRow(
        NoAnswer,
        "no answer from {endpoint} in time",
        "Try again in a few minutes.",
        failures=frozenset({Failure.TIMEOUT}),
    ),
    ErrorRow(
        NoAnswer,
        "the connection to {endpoint} was lost before the answer",
        "Try again.",
        failures=frozenset({Failure.RESET}),
    ),
    ErrorRow(
        NoAnswer,
        "{target}'s answer was cut off, or is not JSON",
        "Try again in a few minutes.",
        failures=frozenset({Failure.CUT}),
    ),
    ErrorRow(
        NoAnswer,
        "{target}'s answer is not usable{detail}",
        "Is {endpoint} really Kaggle? If so, this version of coord may be too old.",
        failures=frozenset({Failure.UNUSABLE}),
    ),
    ErrorRow(
        NoAnswer,
        "{target} failed with HTTP {status}{detail}",
        "Try again in a few minutes.",
        statuses=frozenset(range(500, 600)),
    ),
    ErrorRow(TargetError, "{target} refused with HTTP {status}{detail}", None, statuses=frozenset(range(400, 500))),
    ErrorRow(TargetError, "{target} refused{detail}", None),
)


def row_of(failed: Failed) -> ErrorRow:
    """The first row that matches; the last one matches everything."""
    return next(row for row in ERROR_TABLE if _matches(row, failed))


def explain(failed: Failed, doing: str, *, target: str, endpoint: str, source: str) -> CoordError:
    """The error for the user: what was being done, what happened, what to do."""
    row = row_of(failed)
    words = {
        "target": target,
        "endpoint": failed.host or endpoint,
        "source": source,
        "status": failed.status,
        "detail": f": {failed.detail}" if failed.detail else "",
        "when": "a few minutes" if failed.retry_after is None else f"{failed.retry_after:,.0f} seconds",
    }
    return row.error(f"{doing}: {row.what.format(**words)}", hint=row.hint and row.hint.format(**words))


def _matches(row: ErrorRow, failed: Failed) -> bool:
    return (
        failed.kind in row.kinds
        and (not row.failures or failed.failure in row.failures)
        and (not row.statuses or failed.status in row.statuses)
        and (not row.words or re.search(row.words, failed.detail, re.IGNORECASE) is not None)
    )
