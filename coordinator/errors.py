"""Everything that coord expects to go wrong, as one tree: what happened, where, what to do next.

    CoordError                exit code 1
    ├── UsageError            exit code 2: the command line asks for something that makes no sense
    ├── ProjectError          no project here, or its settings are wrong
    ├── ExperimentError       no such experiment, or its files are wrong
    ├── BundleError           the model source cannot become one script
    ├── MetadataError         the kernel's metadata breaks a rule of Kaggle's
    ├── CredentialsError      none found, or not accepted
    ├── TargetError           the target (Kaggle, or the local one) refused, or gave no usable answer
    │   ├── NoAnswer          none, or one that makes no sense: it is not known whether a request took effect
    │   │   └── NotSent       no connection: the request took no effect
    │   ├── NoAccess          no such kernel, somebody else's private one, or an expired token (Kaggle says 403 for all)
    │   ├── Later             exit code 75: the quota or the session limit is spent; nothing failed
    │   │   └── NoSlot        the session limit: a session has to end first
    │   └── Expired           a signed address of an output file works no longer: list the output again
    ├── LedgerError           the ledger cannot be read or written
    ├── RunNotFound           the ledger has no such run
    ├── RunFailed             the run itself ended without success
    ├── NotComparable         other data, another metric or other folds: a difference would say nothing
    ├── SubmissionError       a submission that the competition would refuse, or that was made before
    └── DependencyError       an optional part (an extra) is not installed

The command line turns any of these into one or two lines on stderr; everything else keeps its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class CoordError(Exception):
    """Base of the tree. `what` says what happened and where; `hint` says what to do next."""

    exit_code = 1

    def __init__(self, what: str, *, hint: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


class UsageError(CoordError):
    """The command line asks for something that makes no sense."""

    exit_code = 2


class ProjectError(CoordError):
    """No project here, or its settings are wrong."""


class NoProject(ProjectError):
    """No folder from here up to the root is a project."""


class ExperimentError(CoordError):
    """No such experiment, or its files are wrong."""


class BundleError(CoordError):
    """The model source cannot become one script."""


class MetadataError(CoordError):
    """The kernel's metadata breaks a rule of Kaggle's."""


class CredentialsError(CoordError):
    """No credentials found, or not accepted."""


class TargetError(CoordError):
    """The target refused, or gave no usable answer."""


class NoAnswer(TargetError):
    """None (no connection, a time-out) or one that makes no sense: it is not known whether a request took effect."""


class NotSent(NoAnswer):
    """There was no connection to send the request on: it took no effect."""


class NoAccess(TargetError):
    """No such kernel, somebody else's private one, or an expired token."""


class Later(TargetError):
    """The quota or the session limit is spent: nothing failed, try again later (EX_TEMPFAIL)."""

    exit_code = 75


class Expired(TargetError):
    """A signed address of an output file works no longer: list the output again."""


class NoSlot(Later):
    """As many sessions run as the target allows: one has to end first."""


class LedgerError(CoordError):
    """The ledger cannot be read or written."""


class RunNotFound(CoordError):
    """The ledger has no such run."""


class RunFailed(CoordError):
    """The run itself ended without success."""


class NotComparable(CoordError):
    """Other data, another metric or other folds: a difference would say nothing."""


class SubmissionError(CoordError):
    """A submission that the competition would refuse, or that was made before."""


class DependencyError(CoordError):
    """An optional part is not installed."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`' (did you mean "x"?)'` for the nearest known word, or an empty string."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f' (did you mean "{near[0]}"?)' if near else ""
