"""What submitting needs of a target: competitions, what they allow, and submissions with their scores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from coordinator.target.kernel_ref import KernelRef


class SubmissionState(StrEnum):
    """Where a submission stands. The first two are before the target has one."""

    SENDING = "sending"
    """The intent is recorded, the target's answer is not (yet) known."""
    REFUSED = "refused"
    """The target took none."""
    PENDING = "pending"
    """It is being scored."""
    COMPLETE = "complete"
    ERROR = "error"
    """It could not be scored. Such a submission does not count against the day's limit."""


@dataclass(frozen=True)
class Competition:
    """A competition as it is for this user."""

    slug: str
    url: str
    is_open: bool
    """It takes submissions."""
    kernels_only: bool
    """A code competition: it takes versions of kernels, and no files."""


@dataclass(frozen=True)
class Allowance:
    """How many submissions the user's team may still make today, until midnight UTC."""

    today: int
    """Valid ones of today."""
    left: int
    is_for_good: bool
    """It is the cap of the whole competition that limits `left`, not the day's."""


@dataclass(frozen=True)
class Standing:
    """A submission as the target has it."""

    ref: int
    state: SubmissionState
    description: str
    public: float | None
    """None while it is not scored, or not shown."""
    private: float | None
    """None until the competition has ended, on Kaggle."""
    error: str
    file_name: str = ""
    created_at: str | None = None
    """ISO 8601, UTC, if the target says it."""


class Competitions(Protocol):
    """A target's competitions. Every method raises TargetError (or a leaf of it) when it gets no usable answer."""

    def competition(self, slug: str) -> Competition:
        """Raises NoAccess if there is none of that name."""
        ...

    def allowance(self, slug: str) -> Allowance: ...

    def sample(self, slug: str, folder: Path) -> Path | None:
        """The sample submission, saved in the folder; None if it can't be told which of the files it is, or is none."""
        ...

    def submit_version(self, slug: str, kernel: KernelRef, file_name: str, description: str) -> int | None:
        """Submits an output file of a kernel's version; returns its reference, if the target says it.

        Never repeated by itself.
        """
        ...

    def upload(self, slug: str, file: Path) -> str:
        """Sends a file, which submits nothing yet; returns the token that `submit_upload` needs."""
        ...

    def submit_upload(self, slug: str, token: str, description: str) -> int | None:
        """Submits a file that was sent; as `submit_version`."""
        ...

    def standing(self, ref: int) -> Standing: ...

    def submissions(self, slug: str) -> Iterator[Standing]:
        """The user's submissions, newest first."""
        ...
