"""What can go wrong for the person in front of the local Kaggle; each message is ready to show.

LocalKaggleError
├── BadName         a reference that Kaggle could not have
├── MissingFolder   a folder to register or to mount that is not there
├── RootInUse       a session root that an earlier session has left full
├── NoJupyter       a notebook to run, and nothing that runs it
├── NotLoopback     an address that other machines could reach
├── BadCompetition  a competition that could not score what is submitted
├── BadPlan         a plan of faults that makes no sense
├── UnusedFaults    planned faults that never happened
├── TooManySessions one session more than Kaggle runs at once
├── StartFailed     a server or a session that did not come up
└── StopFailed      a session that does not end
"""


class LocalKaggleError(Exception):
    """Base of every expected failure of the local Kaggle."""


class BadName(LocalKaggleError):
    """A reference that Kaggle could not have."""


class MissingFolder(LocalKaggleError):
    """A folder to register or to mount that is not there."""


class RootInUse(LocalKaggleError):
    """A session root that an earlier session has left full."""


class NoJupyter(LocalKaggleError):
    """A notebook to run, and nothing that runs it."""


class NotLoopback(LocalKaggleError):
    """An address that other machines could reach."""


class BadCompetition(LocalKaggleError):
    """A competition that could not score what is submitted."""


class BadPlan(LocalKaggleError):
    """A plan of faults that makes no sense."""


class UnusedFaults(LocalKaggleError):
    """Planned faults that never happened."""


class TooManySessions(LocalKaggleError):
    """One session more than Kaggle runs at once."""


class StartFailed(LocalKaggleError):
    """A server or a session that did not come up."""


class StopFailed(LocalKaggleError):
    """A session that does not end although it was told to."""
