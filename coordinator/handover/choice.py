"""Selects the runs that are exported."""

from __future__ import annotations

from collections.abc import Collection

from coordinator.errors import RunNotFound, did_you_mean
from coordinator.ledger import Ledger, Run, find_named, meant, parse_run_name
from coordinator.names import is_seed_of
from coordinator.text import command_line


def ended(ledger: Ledger, experiments: Collection[str] = ()) -> tuple[list[Run], list[Run]]:
    """(runs that have ended, runs that are still active), oldest first, of these experiments or of all.

    Pushes that never became a kernel version are in neither list, and hidden runs only if their version is named.
    Raises RunNotFound for a name without runs.
    """
    names = [parse_run_name(each) for each in experiments]

    def is_meant(run: Run) -> bool:
        return run.hidden_at is None or any(each.is_run and each.names(run) for each in names)

    runs = [run for run in reversed(ledger.runs(hidden=True)) if run.version is not None and is_meant(run)]
    known = sorted({run.experiment for run in runs})
    for each in names:
        name = each.experiment
        if not any(name == one or is_seed_of(one, name) for one in known):
            hint = (
                f"There are runs of {', '.join(known)}."
                if known
                else f"Push one: {command_line('coord', 'push', '--exp', name)}"
            )
            raise RunNotFound(f'no run of "{name}"{did_you_mean(name, known)}', hint=hint)
        if not meant(runs, each):
            find_named(ledger, each)  # says which versions there are
    ids = {run.id for each in names for run in meant(runs, each)}
    wanted = [run for run in runs if not names or run.id in ids]
    return [run for run in wanted if not run.state.is_active], [run for run in wanted if run.state.is_active]
