"""How long commands take, and how much memory, with 100, 1,000 and 10,000 runs in the ledger.

    python -m benchmarks.growth

A small project trains once on this machine. The rows of the ledger and the folders of results are then made of that
run: 40 configs, each with as many seeds as the number of runs allows, every value different. Each command is a process
of its own; the ledgers take turns. Seconds are those of the processor, as the kernel counted them: other programs
change them less than the time of the clock. A ratio compares a ledger with the smallest one of the same run.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.measure import print_table
from coordinator.ledger import Ledger, Run, remarks
from coordinator.project import Project, find_project, resolve
from coordinator.results import Summary
from coordinator.runs import provenance
from coordinator.target import RunState

CONFIGS = 40
SIZES = (100, 1_000, 10_000)
COMMANDS = {
    "status, 10 shown": ("status", "--limit", "10"),
    "runs, 20 shown": ("runs", "--limit", "20"),
    "runs by value": ("runs", "--sort=-value", "--limit", "20"),
    "runs with a tag": ("runs", "--tag", "odd", "--limit", "20"),
    "runs by a pattern": ("runs", "--exp", "c1*", "--limit", "20"),
    "runs, JSON": ("runs", "--limit", "20", "--json"),
    "runs by a setting": ("runs", "--sort=epochs", "--limit", "20"),
    "fetch --all": ("fetch-results", "--all"),
    "best": ("best",),
    "compare": ("compare", "c0-s0", "c1-s0"),
    "ledger check": ("ledger", "check", "--offline"),
    "report": ("report", "-o", "report.html"),
}
_DRY = Path(".coord", "dry-run", "base", "working")
_DIGEST = f"sha256:{'0' * 64}"
_LINKED = ("metrics.jsonl", "oof.csv")  # the same for all runs: one file with many names


@dataclasses.dataclass(frozen=True)
class Taken:
    """What one command took."""

    seconds: float
    megabytes: float
    """Of its process at most."""


def main() -> None:
    """Make the ledgers, measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, nargs="+", default=list(SIZES), help="the sizes of the ledgers")
    parser.add_argument("--repetitions", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="coord-growth-") as folder:
        projects = {size: _project(Path(folder), size) for size in sorted(arguments.runs)}
        rows = [row for name, words in COMMANDS.items() for row in _measured(name, words, projects, arguments)]
        print()
        print_table(["command", "runs", "CPU s", "of the smallest", "MB", "output"], rows)


def _measured(
    name: str, words: tuple[str, ...], projects: dict[int, Path], arguments: argparse.Namespace
) -> list[list[str]]:
    taken: dict[int, list[Taken]] = {size: [] for size in projects}
    for _ in range(arguments.repetitions):
        for size, root in projects.items():
            taken[size].append(_run(words, root))
            print(f"{name}, {size} runs: {taken[size][-1].seconds:.2f} s", file=sys.stderr, flush=True)
    first: float | None = None
    rows = []
    for size, root in projects.items():
        seconds = statistics.median(each.seconds for each in taken[size])
        first = first or seconds
        page = root / "report.html"
        output = f"{page.stat().st_size / 1e6:.1f} MB" if name == "report" else ""
        most = max(each.megabytes for each in taken[size])
        rows.append([name, f"{size:,}", f"{seconds:.2f}", f"{seconds / first:.2f}", f"{most:.0f}", output])
    return rows


def _run(words: tuple[str, ...], root: Path) -> Taken:
    """One command as a process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "coordinator", *words], cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    said = process.stderr.read()
    process.stderr.close()
    _, code, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(code)
    if process.returncode:
        sys.exit(f"coord {' '.join(words)}: exit code {process.returncode}\n{said.decode(errors='replace')}")
    return Taken(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def _project(folder: Path, size: int) -> Path:
    """A project with so many runs, all complete and fetched."""
    root = folder / f"game-{size}"
    first = next(iter(sorted(folder.glob("game-*"))), None)
    if first is None:
        _coord(folder, "init", root.name, "--owner", "ada")
        _coord(root, "dry-run", "--exp", "base")
    else:
        shutil.copytree(first, root, ignore=shutil.ignore_patterns("results", "ledger.sqlite*", "*.html"))
    _fill(find_project(root), size)
    return root


def _coord(where: Path, *words: str) -> None:
    subprocess.run([sys.executable, "-m", "coordinator", *words], cwd=where, check=True, capture_output=True)


def _fill(project: Project, size: int) -> None:
    """The rows of the ledger, and a folder of results for each."""
    random_ = random.Random(size)
    config = resolve(project, "base").config
    output = project.root / _DRY
    summary = json.loads((output / "metrics.json").read_text())
    begun = datetime(2026, 1, 1, tzinfo=UTC)
    with Ledger(project.ledger) as ledger, ledger.transaction():
        for number in range(size):
            which, seed = number % CONFIGS, number // CONFIGS
            value = 0.5 + 0.005 * which + random_.gauss(0, 0.01)
            at = (begun + timedelta(minutes=number)).isoformat(timespec="seconds")
            run_id, experiment = f"{number:016x}", f"c{which}-s0"
            found = _as_of(run_id, experiment, summary, value)
            run = Run(
                id=run_id,
                experiment=experiment,
                target="local",
                owner="ada",
                slug=f"c{which}",
                digest=_DIGEST,
                config={**config, "epochs": 5 + which, "seed": seed},
                metadata={"id": f"ada/c{which}", "code_file": "kernel.py"},
                overrides=[],
                state=RunState.COMPLETE,
                created_at=at,
                version=seed + 1,
                files={"model/train.py": "0" * 64},
                sent_at=at,
                pushed_at=at,
                started_at=at,
                ended_at=at,
                fetched_at=at,
                summary=Summary.parse(found),
            )
            ledger.add(run)
            if number % 3 == 0:
                remarks.tag(ledger, experiment, "odd" if number % 2 else "even", run=run, copy=project.remarks)
            _results(project, run, output, found)


def _as_of(run_id: str, experiment: str, summary: dict[str, Any], value: float) -> dict[str, Any]:
    changed = {**json.loads(json.dumps(summary)), "run_id": run_id, "experiment": experiment, "digest": _DIGEST}
    changed["primary"]["value"] = value
    for metric in changed["metrics"]:
        if metric["name"] == changed["primary"]["name"]:
            metric["mean"] = metric["overall"] = value
    return changed


def _results(project: Project, run: Run, output: Path, summary: dict[str, Any]) -> None:
    folder = project.results(run.experiment, run.target, run.results_version)
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps(summary))
    (folder / "run.json").write_text(json.dumps(provenance(run, [])))
    for name in _LINKED:
        os.link(output / name, folder / name)


if __name__ == "__main__":
    main()
