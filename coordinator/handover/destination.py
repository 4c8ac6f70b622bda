"""What the stores have in common: the outcome of an export, and the error if the store's library is missing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from coordinator.errors import DependencyError
from coordinator.handover.record import Record


class Outcome(StrEnum):
    """What an export did with a run."""

    NEW = "new"
    UPDATED = "updated"
    """It was there with other content, or incomplete."""
    UNCHANGED = "unchanged"
    """It was there with the same content: nothing was written."""


@dataclass(frozen=True)
class Taken:
    """A run in a store."""

    outcome: Outcome
    place: str
    """Its folder, or its id in the store."""


class Destination(Protocol):
    """A store of runs. Taking the same run again changes nothing."""

    name: str
    """The name of the option of `coord export`."""

    def take(self, record: Record) -> Taken:
        """Writes the run into the store, unless it is there. Raises CoordError if it cannot be written."""


@contextlib.contextmanager
def library(extra: str) -> Iterator[None]:
    """Turns an ImportError of an extra's library into a DependencyError.

    The module need not be missing: a folder `wandb/` in the working directory can be imported, too, and then lacks the
    names.
    """
    try:
        yield
    except ImportError as error:
        raise DependencyError(
            f"the library for {extra} is not installed, or incomplete: {error}",
            hint=f"Run: pip install 'coord[{extra}]'",
        ) from error
