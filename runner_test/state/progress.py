"""The state of a session: written by its supervisor, read by everybody else.

A supervisor that is killed can't record it. So the recorded state counts only while the supervisor's lock is held, or
if it is final; otherwise the session is lost.
"""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum

from runner_test.state import files, locks
from runner_test.state.paths import VersionPaths

LOST = "Session lost: its supervisor process has died."


class State(StrEnum):
    """Kaggle's names (KernelWorkerStatus in kagglesdk)."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    COMPLETE = "COMPLETE"
    ERROR = "ERROR"
    CANCEL_REQUESTED = "CANCEL_REQUESTED"
    CANCEL_ACKNOWLEDGED = "CANCEL_ACKNOWLEDGED"
    NEW_SCRIPT = "NEW_SCRIPT"
    """The version was saved and not run: it has no session."""

    @property
    def final(self) -> bool:
        """Whether nothing changes any more: the session has ended, or there is none."""
        return self in (State.COMPLETE, State.ERROR, State.CANCEL_ACKNOWLEDGED, State.NEW_SCRIPT)


@dataclass(frozen=True)
class SessionProgress:
    """A session's state. Times are seconds since 1970; `exit_code` is -n if signal n ended the script."""

    state: State = State.QUEUED
    failure: str | None = None
    exit_code: int | None = None
    supervisor: int | None = None  # its process id
    started: float | None = None
    ended: float | None = None


def write(paths: VersionPaths, progress: SessionProgress) -> None:
    """Write a session's state."""
    files.write_json(paths.progress, asdict(progress))


def read(paths: VersionPaths) -> SessionProgress:
    """A session's current state. Raises FileNotFoundError once the version has been deleted."""
    progress = _stored(paths)
    if progress.state.final:
        return progress
    if locks.is_held(paths.alive):
        return _changed(progress, state=State.CANCEL_REQUESTED) if paths.cancel.exists() else progress
    # The supervisor may have ended the session and itself since the state was read.
    progress = _stored(paths)
    if progress.state.final:
        return progress
    last_sign = paths.log if paths.log.exists() else paths.progress
    return _changed(progress, state=State.ERROR, failure=LOST, ended=last_sign.stat().st_mtime)


def _stored(paths: VersionPaths) -> SessionProgress:
    try:
        fields = json.loads(files.read_plain(paths.progress))
        return SessionProgress(**fields | {"state": State(fields["state"])})
    except FileNotFoundError:
        raise
    except (OSError, ValueError, TypeError, KeyError) as error:
        return SessionProgress(State.ERROR, failure=f"The record of the session's state can't be read: {error}")


def _changed(progress: SessionProgress, **changes: object) -> SessionProgress:
    return SessionProgress(**asdict(progress) | changes)
