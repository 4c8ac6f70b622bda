"""Runs that continue one another, as chains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from coordinator.ledger.ledger import Run


def chain_of(run: Run, runs: Mapping[str, Run]) -> tuple[Run, ...]:
    """The runs that were continued up to `run`, the first one first, `run` last.

    `runs` maps ids to the ledger's runs; a chain begins after a run that is not among them.
    """
    found = {run.id: run}
    while (earlier := runs.get(run.continues or "")) is not None and earlier.id not in found:
        found[earlier.id] = run = earlier
    return tuple(reversed(found.values()))


def all_chains(runs: Sequence[Run]) -> dict[str, tuple[Run, ...]]:
    """Run id -> its chain, for every run that continues another one."""
    by_id = {run.id: run for run in runs}
    return {run.id: chain_of(run, by_id) for run in runs if run.continues}
