"""Tables: which calls are repeated after which failure, how often, after what wait, and how long a call may take.

A call that changes something is not repeated after a lost answer, because its first try may have taken effect: the verb
then asks what exists. Waits are doubled each time and shortened at random by up to a half, so that several processes do
not try again at the same moment ("equal jitter": M. Brooker, Exponential Backoff And Jitter, 2015).
"""

from __future__ import annotations

import email.utils
import math
import time
from dataclasses import dataclass
from enum import StrEnum

CONNECT_SECONDS, READ_SECONDS = 10.0, 60.0
"""Time-outs of one try: for the connection, and for the head and each piece of the answer."""

_MIB = 1 << 20


class Kind(StrEnum):
    READ = "read"
    WRITE = "write"
    STREAM = "stream"
    """A live log: its request is a read, and its body lasts as long as the session."""
    DOWNLOAD = "download"
    """A file at a signed address: no credentials, and a body that the caller reads."""
    UPLOAD = "upload"
    """A file to a signed address. It has no effect until another call names it."""
    PIECE = "piece"
    """A part of such a file. After a failure its place is asked how much it has, so the same is not sent again."""
    CREATE = "create"
    """As a write, of something with a name of its own: 409 means that there is something of that name."""


class Failure(StrEnum):
    """How a try failed, as far as it matters for the decision about another one."""

    CONNECT = "no connection"
    """Nothing was sent."""
    SETTINGS = "a setting of the proxy that cannot be used"
    """Nothing was sent, nor will be before it is corrected."""
    UNCHECKED = "no certificates to check against"
    """Nothing was sent."""
    UNTRUSTED = "certificate not trusted"
    """Nothing was sent."""
    TIMEOUT = "no answer in time"
    RESET = "connection lost"
    """After something was sent, before the answer."""
    CUT = "answer cut off or garbled"
    HTML = "a web page"
    UNUSABLE = "unusable answer"
    """Wrong types, endless, nested too deeply, a redirect: the server is broken or hostile."""
    PROCESSING = "still processing"
    THROTTLED = "throttled"
    DOWN = "down"
    REFUSED = "refused"
    """Any other HTTP status."""


STATUSES = {
    408: Failure.DOWN,
    409: Failure.PROCESSING,
    429: Failure.THROTTLED,
    500: Failure.DOWN,
    502: Failure.DOWN,
    503: Failure.DOWN,
    504: Failure.DOWN,
}
"""The failure that an HTTP status stands for; any other status from 400 on is a refusal."""


class Failed(Exception):
    """One try of a call failed. This module decides about the next try, `error_table` about the error without one."""

    def __init__(
        self, failure: Failure, detail: str = "", *, status: int = 0, retry_after: float | None = None
    ) -> None:
        """`detail` may be shown: it has no secrets and no control characters. `retry_after` is in seconds."""
        super().__init__(": ".join(filter(None, (failure.value, str(status or ""), detail))))
        self.failure = failure
        self.detail = detail
        self.status = status
        self.retry_after = retry_after
        self.kind = Kind.READ
        """The kind of the call."""
        self.host = ""
        """The host that was asked, if it was not the endpoint."""


@dataclass(frozen=True)
class RetryRule:
    kinds: frozenset[Kind]
    failures: frozenset[Failure]
    times: int
    """The most repetitions."""
    first_wait: float
    """Seconds; doubled each time."""
    most_wait: float
    """Seconds."""
    because: str


_PASSING = frozenset(
    {
        Failure.CONNECT,
        Failure.TIMEOUT,
        Failure.RESET,
        Failure.CUT,
        Failure.HTML,
        Failure.THROTTLED,
        Failure.DOWN,
    }
)

RULES = (
    RetryRule(
        kinds=frozenset({Kind.READ, Kind.STREAM, Kind.DOWNLOAD, Kind.UPLOAD}),
        failures=_PASSING,
        times=4,
        first_wait=0.5,
        most_wait=8.0,
        because="asking twice changes nothing",
    ),
    RetryRule(
        kinds=frozenset({Kind.WRITE, Kind.CREATE}),
        failures=frozenset({Failure.CONNECT}),
        times=3,
        first_wait=0.5,
        most_wait=4.0,
        because="nothing was sent",
    ),
    RetryRule(
        kinds=frozenset({Kind.WRITE}),
        failures=frozenset({Failure.PROCESSING}),
        times=20,
        first_wait=5.0,
        most_wait=30.0,
        because="409 means that nothing was done; the data set will be ready soon",
    ),
)
"""The first rule that matches counts. What no rule matches is never repeated."""


@dataclass(frozen=True)
class Limits:
    kind: Kind
    deadline: float
    """Seconds for all tries and the waits between them."""
    answer: int = 1 * _MIB
    """Bytes at most, unpacked."""


METHODS = {
    "GetKernel": Limits(Kind.READ, 120.0, 16 * _MIB),  # a source of 1 MiB, each character of it escaped
    "ListKernels": Limits(Kind.READ, 120.0, 16 * _MIB),
    "ListKernelFiles": Limits(Kind.READ, 120.0, 16 * _MIB),
    "GetKernelSessionStatus": Limits(Kind.READ, 120.0),
    "ListKernelSessionOutput": Limits(Kind.READ, 180.0, 64 * _MIB),  # it carries the whole log
    "GetAcceleratorQuotaStatistics": Limits(Kind.READ, 60.0),
    "GetKernelSessionLogsStream": Limits(Kind.STREAM, 120.0, 64 * _MIB),
    "DownloadKernelOutput": Limits(Kind.STREAM, 120.0),
    "GetDataset": Limits(Kind.READ, 60.0, 16 * _MIB),  # it carries its versions
    "GetDatasetStatus": Limits(Kind.READ, 60.0),
    "ListDatasets": Limits(Kind.READ, 120.0, 16 * _MIB),
    "ListDatasetFiles": Limits(Kind.READ, 120.0, 16 * _MIB),
    "DownloadDataset": Limits(Kind.READ, 120.0),
    "StartBlobUpload": Limits(Kind.READ, 60.0),  # a place that is not used changes nothing
    "CreateDataset": Limits(Kind.CREATE, 300.0),
    "CreateDatasetVersion": Limits(Kind.WRITE, 300.0),
    "GetCompetition": Limits(Kind.READ, 60.0),
    "GetModelInstance": Limits(Kind.READ, 60.0),
    "IntrospectToken": Limits(Kind.READ, 60.0),
    "GetSubmission": Limits(Kind.READ, 120.0),
    "ListSubmissions": Limits(Kind.READ, 120.0, 16 * _MIB),
    "GetSubmissionLimits": Limits(Kind.READ, 60.0),
    "ListDataFiles": Limits(Kind.READ, 120.0, 16 * _MIB),
    "DownloadDataFile": Limits(Kind.READ, 120.0),
    "StartSubmissionUpload": Limits(Kind.READ, 60.0),  # as with a token: one that is not used changes nothing
    "GenerateAccessToken": Limits(Kind.READ, 60.0),  # a token more or less changes nothing
    "SaveKernel": Limits(Kind.WRITE, 300.0),
}
ANY_OTHER = Limits(Kind.WRITE, 120.0)
"""A method that is not in the table counts as one that changes something."""
DOWNLOAD = Limits(Kind.DOWNLOAD, 180.0)
"""Until the first byte of a file. The rest has no deadline, because it depends on the size."""
UPLOAD = Limits(Kind.UPLOAD, 600.0)
"""The whole file."""
RECEIVED = Limits(Kind.UPLOAD, 120.0)
"""The question how much of a file has arrived."""
PIECE = Limits(Kind.PIECE, 600.0)


def limits(method: str) -> Limits:
    return METHODS.get(method, ANY_OTHER)


def wait_before_next(failed: Failed, tries: int, chance: float) -> float | None:
    """Seconds until the next try, after so many `tries`; None if there is none. `chance` is between 0 and 1."""
    rule = next((rule for rule in RULES if failed.kind in rule.kinds and failed.failure in rule.failures), None)
    if rule is None or tries > rule.times:
        return None
    wait = min(rule.most_wait, rule.first_wait * 2.0 ** (tries - 1)) * (0.5 + chance / 2)
    # The server's own value is the minimum; up to a tenth more, because other clients may have got the same value.
    return max(wait, (failed.retry_after or 0.0) * (1 + chance / 10))


def retry_after(value: str | None, now: float | None = None) -> float | None:
    """Seconds to wait by a `Retry-After` header, which is a number or a date; None if it is neither."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - (time.time() if now is None else now)
        except (ValueError, OverflowError, IndexError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
