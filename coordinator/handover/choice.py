"""Selects the runs that are exported."""

from __future__ import annotations

from collections.abc import Collection

from coordinator.errors import RunNotFound, did_you_mean
from coordinator.ledger import Ledger, Run, find_named, parse_run_name
from coordinator.text import command_line


def ended(ledger: Ledger, experiments: Collection[str] = ()) -> tuple[list[Run], list[Run]]:
    """(runs that have ended, runs that are still active), oldest first, of these experiments or of all.

    Pushes that never became a kernel version are in neither list. Raises RunNotFound for a name without runs.
    """
    runs = [run for run in reversed(ledger.runs()) if run.version is not None]
    known = sorted({run.experiment for run in runs})
    names = [parse_run_name(each) for each in experiments]
    for each in names:
        name = each.experiment
        if name not in known:
            hint = (
                f"There are runs of {', '.join(known)}."
                if known
                else f"Push one: {command_line('coord', 'push', '--exp', name)}"
            )
            raise RunNotFound(f'no run of "{name}"{did_you_mean(name, known)}', hint=hint)
        if not any(map(each.names, runs)):
            find_named(ledger, each)  # says which versions there are
    wanted = [run for run in runs if not names or any(each.names(run) for each in names)]
    return [run for run in wanted if not run.state.is_active], [run for run in wanted if run.state.is_active]
