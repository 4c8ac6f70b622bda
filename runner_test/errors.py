"""The errors of the local Kaggle that its user can cause or repair; each message can be shown as it is.

LocalKaggleError
├── BadName         an invalid name or reference
├── MissingFolder   a folder to register or to mount that does not exist
├── RootInUse       a session root that still holds an earlier session's folders
├── NoJupyter       a notebook to run, but Jupyter is not installed
├── BadSecrets      a file of secrets that others may read, or that is none
├── NotLoopback     an address that other machines could reach
├── BadCompetition  a competition whose submissions could not be scored
├── BadDataset      a data set, or a version of one, that can't be made of what was sent
├── BadPlan         an invalid plan of faults
├── UnusedFaults    planned faults that never happened
├── TooManySessions more sessions than Kaggle runs at a time
├── StartFailed     a server or a session that did not start
└── StopFailed      a session that did not end
"""


class LocalKaggleError(Exception):
    """Base of every expected failure of the local Kaggle."""


class BadName(LocalKaggleError):
    """An invalid name or reference."""


class MissingFolder(LocalKaggleError):
    """A folder to register or to mount that does not exist."""


class RootInUse(LocalKaggleError):
    """A session root that still holds an earlier session's folders."""


class NoJupyter(LocalKaggleError):
    """A notebook to run, but Jupyter is not installed."""


class BadSecrets(LocalKaggleError):
    """A file of secrets that others may read, or that is none."""


class NotLoopback(LocalKaggleError):
    """An address that other machines could reach."""


class BadCompetition(LocalKaggleError):
    """A competition whose submissions could not be scored."""


class BadDataset(LocalKaggleError):
    """A data set, or a version of one, that can't be made of what was sent."""


class BadPlan(LocalKaggleError):
    """An invalid plan of faults."""


class UnusedFaults(LocalKaggleError):
    """Planned faults that never happened."""


class TooManySessions(LocalKaggleError):
    """More sessions than Kaggle runs at a time."""


class StartFailed(LocalKaggleError):
    """A server or a session that did not start."""


class StopFailed(LocalKaggleError):
    """A session that did not end although it was told to."""
