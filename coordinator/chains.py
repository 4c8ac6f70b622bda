"""Runs that continue one another: which belong together, and what they report together."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from coordinator.ledger import Run
from coordinator.project import Project

_EVENTS = "metrics.jsonl"


def chain(run: Run, runs: Mapping[str, Run]) -> tuple[Run, ...]:
    """The runs that lead to `run` by continuing one another, the first one first and itself last.

    `runs` has the ledger's by id; a chain begins after a run that is not among them.
    """
    found = [run]
    while (earlier := runs.get(found[-1].continues or "")) is not None and earlier not in found:
        found.append(earlier)
    return tuple(reversed(found))


def chains(runs: Sequence[Run]) -> dict[str, tuple[Run, ...]]:
    """Run id -> its chain, for every run that continues another one."""
    by_id = {run.id: run for run in runs}
    return {run.id: chain(run, by_id) for run in runs if run.continues}


def epochs(project: Project, links: Sequence[Run]) -> list[dict[str, Any]]:
    """The epoch events of a chain as if one run had done them all, from the fetched results of its links.

    An epoch that two links report (the second went on from before it) is the later one's. In the order of seed, fold
    and epoch; links that were not fetched, and lines that do not read, are passed over.
    """
    found: dict[tuple[int, int, int], dict[str, Any]] = {}
    for run in links:
        file = project.results(run.experiment, run.target, run.ref.version) / _EVENTS
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines() if file.is_file() else ():
            try:
                event = json.loads(line)
                if event["event"] == "epoch":
                    found[(int(event.get("seed", -1)), int(event["fold"]), int(event["epoch"]))] = event
            except (ValueError, KeyError, TypeError):
                continue
    return [found[key] for key in sorted(found)]
