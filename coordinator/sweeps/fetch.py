"""The verb fetch-results: fetches runs, and merges the split folds of which the last one has been fetched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from coordinator.errors import CoordError
from coordinator.ledger import Run
from coordinator.runs import Fetched, FetchResult, fetch
from coordinator.sweeps.merge_folds import merge_fetched
from coordinator.workspace import Workspace


@dataclass(frozen=True)
class FetchedAndMerged:
    """Results that are on this machine now, and what could not be fetched or merged."""

    fetches: FetchResult
    merged: tuple[Fetched, ...]
    not_merged: tuple[tuple[CoordError, bool], ...]
    """The error, and whether the reason may be a file that was not fetched on purpose."""

    @property
    def results(self) -> tuple[Fetched, ...]:
        """The fetched runs, then the merged ones."""
        return (*self.fetches.fetched, *self.merged)

    @property
    def failures(self) -> list[CoordError]:
        """What has failed: not that a run is still active or gone, nor what a file left out on purpose explains."""
        failed = [each.error for each in self.fetches.not_fetched if not (each.is_active or each.is_gone)]
        return failed + [error for error, is_partial in self.not_merged if not is_partial]


def fetch_and_merge(
    workspace: Workspace, runs: Sequence[Run], *, force: bool, choice: fetch.Choice
) -> FetchedAndMerged:
    """Fetches the runs (see `fetch_several`), and merges the sweeps of split folds that are whole now."""
    fetches = fetch.fetch_several(workspace, runs, force=force, choice=choice)
    merged, not_merged = merge_fetched(workspace, fetches.fetched)
    return FetchedAndMerged(fetches, tuple(merged), tuple(not_merged))
