"""What the stores have in common: what became of a run there, and what to say if the store's library is missing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from coordinator.errors import DependencyError
from coordinator.handover.record import Record


class Outcome(StrEnum):
    """What was done about a run in a store."""

    NEW = "new"
    UPDATED = "updated"
    """It was there with other content, or in part."""
    UNCHANGED = "unchanged"
    """It was there as it is now: nothing was written."""


@dataclass(frozen=True)
class Taken:
    """A run in a store."""

    outcome: Outcome
    place: str
    """Its folder, or the store's own id of it."""


class Destination(Protocol):
    """A store of runs that others made. Taking the same run again changes nothing."""

    name: str
    """As the option of `coord export` says it."""

    def take(self, record: Record) -> Taken:
        """Raises CoordError if the store cannot be written, or refuses it."""


@contextlib.contextmanager
def library(extra: str) -> Iterator[None]:
    """Around the imports of an extra's library.

    Not only a missing module: a folder `wandb/` or `mlruns/` in the working directory can be imported, too, and then
    lacks the names.
    """
    try:
        yield
    except ImportError as error:
        raise DependencyError(
            f"the library for {extra} is not installed, or not whole: {error}",
            hint=f"Run: pip install 'coord[{extra}]'",
        ) from error
