"""Which errors of a fetch and its merges count as failures."""

from __future__ import annotations

from pathlib import Path

from coordinator.errors import CoordError, NoAccess, RunFailed, TargetError
from coordinator.ledger.run import Run
from coordinator.runs.fetch.fetched import Fetched
from coordinator.runs.fetch.several import FetchResult, NotFetched
from coordinator.sweeps.fetch import FetchedAndMerged
from coordinator.target.protocol import RunState
from tests.coordinator.sample_runs import BARE


def _fetched(run: Run) -> Fetched:
    return Fetched(run=run, directory=Path("results"), files=(), size=0)


def test_what_is_left_out_on_purpose_is_no_failure() -> None:
    """Active runs, deleted ones, and folds without a file that was not requested are reported, but do not count."""
    broken, unmerged = TargetError("no output"), CoordError("other folds")
    cancelled = Run(**{**vars(BARE), "state": RunState.CANCELLED})
    not_fetched = (
        NotFetched(BARE, RunFailed("is running")),
        NotFetched(cancelled, NoAccess("is not there")),
        NotFetched(BARE, NoAccess("is not there")),
        NotFetched(BARE, broken),
    )
    fetches = FetchResult((_fetched(BARE),), not_fetched)
    done = FetchedAndMerged(
        fetches, (_fetched(cancelled),), ((CoordError("metrics.json is missing"), True), (unmerged, False))
    )
    assert done.failures == [not_fetched[2].error, broken, unmerged]
    assert [item.run for item in done.results] == [BARE, cancelled]
