"""How long `coord` takes to start, compared with the official command: whole processes, in turns.

    python -m benchmarks.startup_cli

`coord status --json` lists a ledger in which all runs have ended, so it needs no network.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks.measure import print_table
from coordinator.ledger.ledger import Ledger, Run, now
from coordinator.project.project import find_project
from coordinator.results.events import Event
from coordinator.target.protocol import RunState

OFFICIAL = "kaggle --version"
LIMITS = {"coord --help": 0.33, "coord status --json": 0.55}
"""The largest allowed ratios to the official command, of wall time and of CPU time."""
PROJECT = Path(__file__).parent.parent / "tests" / "samples" / "tiny"
RUNS = 20
EVENT = Event.parse({"event": "epoch", "epoch": 3, "epochs": 3, "fold": 1, "metrics": {"val/dice": 0.76}})


@dataclass(frozen=True)
class Start:
    """Seconds of one process."""

    wall: float
    cpu: float


def main() -> None:
    """Measure and print the table; exit code 1 if a ratio is above its limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=21)
    repetitions = parser.parse_args().repetitions
    commands = [OFFICIAL, "coord --help", "coord --version", "coord status", "coord status --json"]
    taken: dict[str, list[Start]] = {command: [] for command in commands}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "project"
        shutil.copytree(PROJECT, root)
        _fill(root)
        for place in range(repetitions + 1):
            for command in commands:
                start = _start(command, root)
                if place:  # the first one fills the disk cache
                    taken[command].append(start)
    wall = {command: statistics.median(each.wall for each in starts) for command, starts in taken.items()}
    cpu = {command: statistics.median(each.cpu for each in starts) for command, starts in taken.items()}
    print(
        f"\nMeasured: kaggle {version('kaggle')}, {RUNS} runs in the ledger, median of {repetitions}; "
        f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} CPUs.\n"
    )
    rows, passed = [], True
    for command in commands:
        ratios = wall[command] / wall[OFFICIAL], cpu[command] / cpu[OFFICIAL]
        limit = LIMITS.get(command)
        passed = passed and (limit is None or max(ratios) <= limit)
        figures = [f"{1000 * wall[command]:.0f}", f"{1000 * cpu[command]:.0f}", *(f"{each:.2f}" for each in ratios)]
        rows.append([command, *figures, "" if limit is None else f"{limit:.2f}"])
    print_table(["command", "wall ms", "CPU ms", "wall ratio", "CPU ratio", "at most"], rows)
    if not passed:
        sys.exit("a ratio is above its limit")


def _fill(root: Path) -> None:
    """Writes a ledger of runs that have ended, with configs as large as those of this project."""
    config = {f"group{group}": {f"value{each}": each / 7 for each in range(10)} for group in range(8)}
    with Ledger(find_project(root).ledger) as ledger:
        for number in range(RUNS):
            run = Run(
                id=f"run{number}",
                experiment="base",
                target="kaggle",
                owner="ada",
                slug="base",
                digest="sha256:" + "0" * 64,
                config=config,
                metadata={"id": "ada/base"},
                overrides=[],
                state=RunState.COMPLETE,
                created_at=now(),
                version=number + 1,
                url="https://www.kaggle.com/code/ada/base",
                last_event=EVENT,
            )
            ledger.add(run)


def _start(command: str, root: Path) -> Start:
    program, *arguments = command.split()
    # Installed beside this Python.
    path = shutil.which(program, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if path is None:
        sys.exit(f"{program} is not installed")
    before, begun = _used(), time.perf_counter()
    subprocess.run([path, *arguments], cwd=root, env=_environment(), stdout=subprocess.DEVNULL, check=True)
    return Start(wall=time.perf_counter() - begun, cpu=_used() - before)


def _used() -> float:
    """Seconds of CPU time of all child processes that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


def _environment() -> dict[str, str]:
    """An environment with credentials, so that the official command prints its version only."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KAGGLE_", "COORD_", "PYTHON"))}
    return kept | {"KAGGLE_USERNAME": "ada", "KAGGLE_KEY": "key"}


if __name__ == "__main__":
    main()
