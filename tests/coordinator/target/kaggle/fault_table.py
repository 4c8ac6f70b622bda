"""The expected effect of every fault, as tables, which the tests check and docs/reliability.md shows.

python -m tests.coordinator.target.kaggle.fault_table
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from coordinator.errors import CoordError, CredentialsError, Expired, Later, NoAccess, NoAnswer, TargetError
from runner_test.faults import Fault, Kind

STATUSES = ("400", "401", "403", "404", "409", "413", "429", "500", "502", "503", "504")
CONNECTION = ("down", "reset", "timeout", "truncated")
NOT_JSON = ("html", "cut", "garbled", "types")

# The error for a fault that does not end. Its exit code is 75 for Later, else 1.
MEANING: dict[str, type[CoordError]] = {
    **dict.fromkeys((*CONNECTION, *NOT_JSON, "500", "502", "503", "504"), NoAnswer),
    "html": Later,  # throttled, or down for maintenance
    "400": TargetError,
    "401": CredentialsError,
    "403": NoAccess,
    "404": NoAccess,
    "409": Later,
    "413": TargetError,
    "429": Later,
    "expired": Expired,
    "repeated_token": TargetError,
    "endless_pages": TargetError,
}
EXIT_CODES: dict[type[CoordError], int] = {Later: 75}

SECONDS = {"down": 0.0, "slow": 0.1}


def fault(method: str, name: str, **values: Any) -> Fault:
    """The fault of that name: a status or a kind."""
    if name.isdecimal():
        return Fault(method, Kind.STATUS, status=int(name), **values)
    return Fault(method, Kind(name), seconds=SECONDS.get(name), **values)


# The client's methods that only read, and the method of Kaggle that each of them calls.
READS = {
    "source": "GetKernel",
    "state": "GetKernelSessionStatus",
    "log": "ListKernelSessionOutput",
    "outputs": "ListKernelSessionOutput",
    "follow": "GetKernelSessionLogsStream",
    "download": "Download",
    "quota": "GetAcceleratorQuotaStatistics",
    "kernels": "ListKernels",
    "user": "IntrospectToken",
    "has_source": "GetCompetition",
    "competition": "GetCompetition",
    "allowance": "GetSubmissionLimits",
    "sample": "DownloadDataFile",
    "files": "ListDataFiles",
    "standing": "GetSubmission",
    "submissions": "ListSubmissions",
    "upload": "StartSubmissionUpload",
    "sending": "Upload",
    "data_state": "GetDatasetStatus",
    "data_place": "StartBlobUpload",
}
# What changes something, beside the push: repeated only after 409, which means that nothing was done.
WRITES = {
    "cancel": "CancelKernelSession",
    "delete": "DeleteKernel",
    "submit_version": "CreateCodeSubmission",
    "submit_upload": "CreateSubmission",
}
# Faults after which a read is repeated, without a message. The verb reads the body of a log or a file, and continues
# it after a cut.
BEFORE_THE_BODY = ("down", "reset", "timeout", "429", "500", "502", "503", "504")
IN_THE_BODY = ("truncated", "html", "cut", "garbled")
# Methods whose answer has no body: it is a redirect, or only a status.
BODILESS = ("sample", "sending")
REPEATED = [
    *((read, name) for read in READS for name in BEFORE_THE_BODY),
    *((read, name) for read in READS for name in IN_THE_BODY if read not in ("follow", "download", *BODILESS)),
]
PERSISTENT = [
    (read, name)
    for read, method in READS.items()
    for name in (*CONNECTION, *STATUSES, *NOT_JSON, "expired", "repeated_token", "endless_pages")
    if fault("*", name).applies(method)
    # For these two, a missing kernel or source is a result (tested on its own).
    and (read, name) not in {(each, status) for each in ("source", "has_source") for status in ("403", "404")}
    # The log comes with the first page, whose files are not used.
    and (read, name) not in {("log", "repeated_token"), ("log", "endless_pages"), ("log", "expired")}
    # Only the download uses the addresses.
    and (read, name) != ("outputs", "expired")
    # A web page in place of a file: the verb finds it by the size.
    and (read, name) != ("download", "html")
    and not (read in BODILESS and name in ("truncated", *NOT_JSON[read == "sample" :]))
]
WRITES_FAIL = [
    (write, name)
    for write in WRITES
    for name in (*CONNECTION, *STATUSES, *NOT_JSON)
    if fault("*", name).applies(WRITES[write])
    # There is no kernel to delete, and no file to submit, so that no answer has a body for the fault.
    and not (write != "cancel" and name in ("truncated", *NOT_JSON) and name != "html")
]


@dataclass(frozen=True)
class Push:
    """The result of a push with a fault."""

    name: str
    when: str
    error: type[CoordError] | None
    arrived: bool
    """Whether the version exists."""

    def __str__(self) -> str:
        return f"{self.name}-{self.when}"


EITHER_WAY = ("down", "reset", "timeout", "500", "502", "503", "504", "html")
PUSHES = [
    *(Push(name, "before", TargetError, False) for name in EITHER_WAY),
    *(Push(name, "after", None, True) for name in EITHER_WAY),
    *(Push(name, "after", None, True) for name in ("cut", "garbled", "truncated", "types", "empty")),
    *(Push(name, "before", MEANING[name], False) for name in STATUSES if int(name) < 500),
    Push("slow", "after", None, True),
]

# A fetch calls three methods of the client. The tables above have every fault of each; here is one for each class of
# error, and "down" for a connection that cannot be opened any more.
FETCHES = [
    *(("ListKernelSessionOutput", name) for name in ("reset", "400", "401", "403", "429", "expired")),
    *(("Download", name) for name in ("truncated", "429", "expired", "down")),
    *(("GetKernel", name) for name in ("500", "400", "401", "429")),
]

_DESCRIBED = {
    "down": "the server dies and comes back",
    "reset": "connection reset",
    "timeout": "no answer in time",
    "truncated": "connection closed in the middle of the answer",
    "html": "a page where JSON was expected",
    "cut": "half of the JSON",
    "garbled": "bytes that are no text",
    "types": "values of other types",
    "empty": "`{}`",
    "slow": "an answer that drips",
    "expired": "signed address that has expired",
    "repeated_token": "a list whose page token repeats",
    "endless_pages": "a list that always has another page",
}


def markdown() -> str:
    """Both tables."""
    reads = {name for _, name in PERSISTENT}
    rows = [
        [
            described(name),
            _names([read for read, each in REPEATED if each == name]),
            told(MEANING[name]),
            _names([read for read, each in PERSISTENT if each == name]),
        ]
        for name in MEANING
        if name in reads
    ]
    pushes = [
        [
            described(case.name),
            case.when,
            "none" if case.error is None else told(case.error),
            _outcome(case),
        ]
        for case in PUSHES
    ]
    return "\n\n".join(
        [
            _table(["a read meets", "repeated by", "error in the end", "of"], rows),
            _table(["each try of a push meets", "its effect", "error", "session"], pushes),
        ]
    )


def _names(reads: list[str]) -> str:
    """The shorter of the two lists: these reads, or all others."""
    others = [read for read in READS if read not in reads]
    if len(reads) <= len(others):
        return ", ".join(reads) or "none"
    return f"all but {', '.join(others)}" if others else "all"


def _outcome(case: Push) -> str:
    if case.arrived:
        return "one: its answer is read in the end" if case.name == "slow" else "one, found by its run id and adopted"
    return "none, sent three times" if case.name in EITHER_WAY else "none, refused"


def described(name: str) -> str:
    """A fault in words."""
    return f"HTTP {name}" if name.isdecimal() else _DESCRIBED[name]


def told(error: type[CoordError]) -> str:
    """An error and its exit code."""
    return f"{error.__name__} ({EXIT_CODES.get(error, 1)})"


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    print(markdown())
