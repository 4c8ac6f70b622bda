"""A sweep of many kernels on a real Slurm: how near to the ideal time does it end?

    python -m benchmarks.cluster_sweep [--kernels 40] [--seconds 60] [--at-once 8]

The kernels only sleep, so that many run on a few processors. The ideal is the number of rounds times that sleep. First
the same sleeps run as an array that is handed to sbatch by hand: what Slurm itself needs to start and end tasks is not
coord's. The Slurm is one of its own, as the tests start it, and looks for waiting tasks once a second.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measure import print_table
from tests.clusters.engines import SLOTS, SLURM, Slurm, running_slurm

SAMPLE = Path(__file__).parent.parent / "tests" / "samples" / "steps"


def main() -> None:
    """Run both ways and print the table; without a Slurm, say what installs it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernels", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--at-once", type=int, default=SLOTS)
    chosen = parser.parse_args()
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    controller, node = shutil.which("slurmctld", path=path), shutil.which("slurmd", path=path)
    if controller is None or node is None:
        print(f"cluster_sweep: skipped, there is no Slurm: {SLURM}")
        return
    ideal = math.ceil(chosen.kernels / min(chosen.at_once, SLOTS)) * chosen.seconds
    with running_slurm(controller, node) as slurm, tempfile.TemporaryDirectory() as folder:
        by_hand = array_by_hand(slurm, Path(folder), chosen.kernels, chosen.seconds, chosen.at_once)
        pushed, of_processor, swept = sweep(slurm, Path(folder), chosen.kernels, chosen.seconds, chosen.at_once)
    rows = [("ideal", ideal), ("an array by hand", by_hand), ("coord sweep", swept)]
    shown = [[name, f"{took:.1f}", f"{took / ideal:.3f}"] for name, took in rows]
    shown.append(["  of that, until it is handed over", f"{pushed:.1f}", f"{pushed / ideal:.3f}"])
    shown.append(["    of the processor", f"{of_processor:.1f}", ""])
    print(f"\n{chosen.kernels} kernels that sleep {chosen.seconds:g} s, {chosen.at_once} at a time:\n")
    print_table(["a sweep of sleeps", "seconds", "ratio to the ideal"], shown)


def array_by_hand(slurm: Slurm, folder: Path, kernels: int, seconds: float, at_once: int) -> float:
    """Seconds from the call of sbatch to the end of its last task."""
    begun = time.time()
    array = f"--array=0-{kernels - 1}%{at_once}"
    slurm("sbatch", "--wait", "--output=/dev/null", array, f"--wrap=sleep {seconds}; date +%s.%N >>{folder}/ends")
    ends = (folder / "ends").read_text(encoding="utf-8").split()
    assert len(ends) == kernels, ends
    return max(map(float, ends)) - begun


def sweep(slurm: Slurm, folder: Path, kernels: int, seconds: float, at_once: int) -> tuple[float, float, float]:
    """Seconds of `coord sweep`, those of the processor for it, and those from its start to its last kernel's end."""
    project, root = folder / "steps", folder / "root"
    shutil.copytree(SAMPLE, project, ignore=shutil.ignore_patterns("__pycache__"))
    table = {"kind": "slurm", "root": str(root), "python": sys.executable}
    with (project / "pyproject.toml").open("a", encoding="utf-8", newline="\n") as file:
        lines = (f"{name} = {json.dumps(value)}" for name, value in table.items())
        file.write("\n".join(["", "[tool.coord.targets.uni]", *lines, ""]))
    (project / "experiments" / "base.yaml").write_text("config: {train: {steps: 1}}\n", encoding="utf-8", newline="\n")
    # Each has its own work to do: the same work is not pushed twice.
    values = ",".join(f"{seconds + number / 1e6:.6f}" for number in range(kernels))
    begun, of_processor = time.time(), children_seconds()
    coord = (sys.executable, "-m", "coordinator", "sweep", "base", "--grid", f"train.seconds={values}")
    run([*coord, "--at-once", str(at_once), "--target", "uni"], project, slurm)
    pushed, of_processor = time.time() - begun, children_seconds() - of_processor
    while len(ends := ended(root)) < kernels:
        time.sleep(0.5)
    assert {each["code"] for each in ends} == {0}, ends
    shown = run([sys.executable, "-m", "coordinator", "status"], project, slurm)
    assert f"{kernels} of {kernels} complete" in shown, shown
    return pushed, of_processor, max(float(each["ended"]) for each in ends) - begun


def children_seconds() -> float:
    """Seconds of the processor that programs took which were started here and have ended."""
    times = os.times()
    return times.children_user + times.children_system


def ended(root: Path) -> list[dict[str, float]]:
    """The ends in the records of all runs."""
    texts = [file.read_text(encoding="utf-8") for file in root.glob("kernels/*/*/*/attempts.jsonl")]
    return [each for text in texts for line in text.splitlines() if "ended" in (each := json.loads(line))]


def run(command: Sequence[str], folder: Path, slurm: Slurm) -> str:
    """What a command of coord's prints. Ends the program if it fails."""
    environment = {**os.environ, **slurm.environment}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()
