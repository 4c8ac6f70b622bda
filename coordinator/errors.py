"""All errors that coord expects, as one tree. Each says what happened, where, and what to do next.

    CoordError                exit code 1
    ├── UsageError            exit code 2: the command line is not valid, or its options contradict each other
    ├── ProjectError          a project's settings are not valid, or it belongs to another user
    │   └── NoProject         neither this folder nor any folder above it is a project
    ├── ExperimentError       no such experiment, or its files are not valid
    ├── BundleError           the model source cannot become one script
    ├── MetadataError         the kernel's metadata breaks a rule of Kaggle's
    ├── CredentialsError      no credentials found, or not accepted
    ├── TargetError           the target (Kaggle, or the local Kaggle) refused, or gave no usable answer
    │   ├── NoAnswer          no answer, or a malformed one: it is not known whether the request took effect
    │   │   └── NotSent       no connection: the request took no effect
    │   ├── NoAccess          no such kernel, somebody else's private one, or an expired token (Kaggle says 403 for all)
    │   ├── Later             exit code 75: the quota or the session limit is reached; try again later
    │   │   └── NoSlot        the session limit is reached: a session has to end first
    │   └── Expired           the signed address of an output file has expired: list the output again
    ├── LedgerError           the ledger cannot be read or written
    ├── RunNotFound           the ledger has no such run
    ├── RunFailed             the run itself ended without success
    ├── NotComparable         different data, metrics or folds: a difference between the values would mean nothing
    ├── FileError             a file cannot be read, written or locked: permissions, a full disk
    ├── SubmissionError       a submission that the competition would refuse, or that was made before
    └── DependencyError       an optional part (an extra) is not installed

The command line prints each of these as one or two lines on stderr, and every OSError as a FileError; any other
exception keeps its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class ExitCode:
    """What an exit code of `coord` says."""

    code: int
    when: str


EXIT_CODES = (
    ExitCode(0, "success, and only that"),
    ExitCode(
        1,
        'a failure: the message says what happened and what to do. Also the answer "no" of a check: `doctor`, '
        "`ledger check` and `rehearse` found a problem, a run that was waited for failed",
    ),
    ExitCode(2, "the command line is not valid, or its options contradict each other; nothing was done"),
    ExitCode(
        75,
        "try again later: the quota, the session limit or the day's submissions are used up, or Kaggle asks for fewer "
        "requests (EX_TEMPFAIL of sysexits.h)",
    ),
    ExitCode(130, "interrupted with Ctrl-C (128 + SIGINT)"),
    ExitCode(141, "the reader of the output has ended, as `head` does (128 + SIGPIPE)"),
)
"""Every exit code that a command can have; `coord bundle` makes programs, which have their own."""


class CoordError(Exception):
    """Base of the tree. `what` says what happened and where; `hint` says what to do next."""

    exit_code = 1

    def __init__(self, what: str, *, hint: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


class UsageError(CoordError):
    """The command line is not valid, or its options contradict each other."""

    exit_code = 2


class ProjectError(CoordError):
    """No project here, or its settings are not valid."""


class NoProject(ProjectError):
    """Neither this folder nor any folder above it is a project."""


class ExperimentError(CoordError):
    """No such experiment, or its files are not valid."""


class BundleError(CoordError):
    """The model source cannot become one script."""


class MetadataError(CoordError):
    """The kernel's metadata breaks a rule of Kaggle's."""


class CredentialsError(CoordError):
    """No credentials found, or not accepted."""


class TargetError(CoordError):
    """The target refused, or gave no usable answer."""


class NoAnswer(TargetError):
    """No answer (a lost connection, a time-out) or a malformed one: whether the request took effect is not known."""


class NotSent(NoAnswer):
    """There was no connection to send the request on, so it had no effect."""


class NoAccess(TargetError):
    """No such kernel, somebody else's private one, or an expired token."""


class Later(TargetError):
    """The quota or the session limit is reached: try again later (EX_TEMPFAIL)."""

    exit_code = 75


class Expired(TargetError):
    """The signed address of an output file has expired: list the output again."""


class NoSlot(Later):
    """The target runs as many sessions as it allows: one has to end first."""


class LedgerError(CoordError):
    """The ledger cannot be read or written."""


class RunNotFound(CoordError):
    """The ledger has no such run."""


class RunFailed(CoordError):
    """The run itself ended without success."""


class NotComparable(CoordError):
    """Different data, metrics or folds: a difference between the values would mean nothing."""


class SubmissionError(CoordError):
    """A submission that the competition would refuse, or that was made before."""


class FileError(CoordError):
    """A file cannot be read, written or locked: permissions, a full disk, a file system without locks."""


class DependencyError(CoordError):
    """An optional part is not installed."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`' (did you mean "x"?)'` for the nearest known word, or an empty string."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f' (did you mean "{near[0]}"?)' if near else ""


def near_or_all(word: str, known: Iterable[str], most: int = 12) -> str:
    """`did_you_mean`, or `' (there are lr, epochs)'` for a word that is like none of a few."""
    names = list(known)
    listed = f" (there are {', '.join(names)})" if 0 < len(names) <= most else ""
    return did_you_mean(word, names) or listed
