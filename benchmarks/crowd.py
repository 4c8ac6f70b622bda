"""Eight `coord` processes at the same time in one project: do all of them read and write one consistent ledger?

    python -m benchmarks.crowd [--seconds 60]

Four push (each its own experiment, again as soon as its session has ended), two fetch every run that has ended, two
read (status, logs, fetch-results). Afterwards the ledger must have every run that a push has printed, once and with the
same version; every version must belong to one run; and all results must be complete.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import random
import time
from collections import Counter
from pathlib import Path

from benchmarks.measure import print_table
from benchmarks.processes import Place, fork, place
from coordinator.target.protocol import RunState

PUSHERS, FETCHERS, READERS = 4, 2, 2
_NOTHING_YET = ("there are no runs yet", "no run of", "there is nothing to fetch yet")


def main() -> None:
    """Start the processes, check the result and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    seconds = parser.parse_args().seconds
    experiments = [f"e{number}" for number in range(PUSHERS)]
    with place(experiments) as there:
        done = there.root.parent / "done"
        done.mkdir()
        end = time.monotonic() + seconds
        roles = [functools.partial(push, there, experiment, end, done / experiment) for experiment in experiments]
        roles += [functools.partial(fetch, there, end, done / f"fetch{number}") for number in range(FETCHERS)]
        roles += [functools.partial(read, there, number, end, done / f"read{number}") for number in range(READERS)]
        processes = [fork(role) for role in roles]
        codes = [os.waitpid(process, 0)[1] for process in processes]
        if any(codes):
            raise SystemExit("a command failed, see above")
        counts: Counter[str] = Counter()
        printed: dict[str, int] = {}
        for file in done.iterdir():
            report = json.loads(file.read_text(encoding="utf-8"))
            counts.update(report["commands"])
            printed |= report["pushed"]
        check(there, experiments, printed)
    print(f"\n{sum(counts.values())} commands of {len(roles)} processes in {seconds:.0f} s, {len(printed)} runs:\n")
    print_table(["command", "times"], [[name, f"{count}"] for name, count in sorted(counts.items())])


def push(there: Place, experiment: str, end: float, report: Path) -> None:
    """Pushes the experiment each time its last session has ended; each push must print a new run."""
    pushed: dict[str, int] = {}
    while time.monotonic() < end:
        ended = there.run("push", "--exp", experiment, "--force", "--json")  # the same work each time
        assert ended.code == 0, ended.err
        (run,) = json.loads(ended.out)
        assert run["id"] not in pushed, f"run {run['id']} was pushed twice"
        pushed[run["id"]] = run["version"]
        while not there.is_idle(experiment):
            time.sleep(0.02)
    _report(report, {"push": len(pushed)}, pushed)


def fetch(there: Place, end: float, report: Path) -> None:
    """Fetches all runs that have ended, again and again, while other processes do the same."""
    count = 0
    while time.monotonic() < end:
        ended = there.run("fetch-results", "--all")
        assert ended.code == 0, ended.err
        count += 1
    _report(report, {"fetch-results --all": count})


def read(there: Place, number: int, end: float, report: Path) -> None:
    """Runs commands that read, in random order; they may fail only because there is no run yet."""
    counts: Counter[str] = Counter()
    chosen = random.Random(number)
    commands = (("status",), ("status", "--json"), ("logs",), ("fetch-results",))
    while time.monotonic() < end:
        command = chosen.choice(commands)
        ended = there.run(*command)
        assert ended.code == 0 or any(reason in ended.err for reason in _NOTHING_YET), ended.err
        counts[" ".join(command)] += 1
    _report(report, counts)


def check(there: Place, experiments: list[str], printed: dict[str, int]) -> None:
    """Raises AssertionError unless the ledger, the versions, the output of the pushes and results/ agree."""
    for command in ("status", "fetch-results"):
        ended = there.run(command, *(["--all"] if command == "fetch-results" else []))
        assert ended.code == 0, ended.err
    runs = there.runs()
    assert {run.id: run.version for run in runs} == printed, "the ledger has other runs than the pushes have printed"
    assert len(runs) == len(printed)
    for experiment in experiments:
        recorded = {run.version: run.id for run in runs if run.experiment == experiment}
        versions = {version.number: there.pushed_by(version) for version in there.versions(experiment)}
        assert recorded == versions, f"{experiment}: versions {versions}, but the ledger has {recorded}"
    for run in runs:
        assert run.state is RunState.COMPLETE, f"{run.label} is {run.state}"
        assert run.fetched_at, f"{run.label} was not fetched"
        directory = there.root / "results" / run.experiment / f"kaggle-v{run.version}"
        summary = json.loads((directory / "metrics.json").read_text(encoding="utf-8"))
        assert summary["run_id"] == run.id, f"{run.label} has the results of run {summary['run_id']}"
        assert run.reported.to_json() == summary, f"{run.label}: the ledger has other metrics than its results"


def _report(file: Path, commands: dict[str, int], pushed: dict[str, int] | None = None) -> None:
    file.write_text(json.dumps({"commands": commands, "pushed": pushed or {}}), encoding="utf-8")


if __name__ == "__main__":
    main()
