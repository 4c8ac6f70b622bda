"""A Slurm cluster as a target, at a real Slurm, and programs that run there."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from coordinator.bundle.script import stamped
from coordinator.kernel.metadata import KernelMetadata
from coordinator.project.project import Project
from coordinator.project.settings import Settings
from coordinator.project.target_settings import SlurmSettings
from coordinator.target.kernel_ref import KernelRef
from coordinator.target.protocol import RunState, SessionState
from coordinator.target.slurm.client import Slurm
from coordinator.target.slurm.open import slurm_of
from tests.clusters.engines import Slurm as Engine

SECONDS = 120.0
SAVES = """\
import os, signal, sys, time
def stop(*_):
    with open("state.pth", "a") as file:
        file.write(f"{step} ")
    print(f"saved {step}")
    sys.exit(143)
signal.signal(signal.SIGTERM, stop)
step = 0
if "COORD_OVERRIDES" in os.environ:
    step = int(open("state.pth").read().split()[-1])
print(f"begun at {step}")
while step < 1 or "COORD_OVERRIDES" not in os.environ:
    step += 1
    time.sleep(0.1)
with open("oof.csv", "w") as file:
    file.write("done")
"""
"""A program that works until it is warned, saves, and in its next start goes on from there and ends."""


def target_at(root: Path, host: str = "", **values: Any) -> Slurm:
    """A target of ada's, whose table has these values."""
    settings = SlurmSettings(**{"kind": "slurm", "root": str(root), "host": host, "python": sys.executable, **values})
    return slurm_of(Project(root=root.parent, settings=Settings(owner="ada")), "uni", settings)


@pytest.fixture
def uni(slurm_cluster: Engine, tmp_path: Path) -> Iterator[Slurm]:
    """The cluster without accounting, from its own login node."""
    assert slurm_cluster.environment
    target = target_at(tmp_path / "root")
    yield target
    target.close()


def kernel(text: str, run: str) -> str:
    """The text of a kernel that this run pushed."""
    return stamped(f"# coord: run=- digest=-\n{text}\n", run_id=run, git=None)


def metadata(slug: str = "smoke", **values: Any) -> KernelMetadata:
    return KernelMetadata("", {"id": f"ada/{slug}", **values})


def push(target: Slurm, text: str, run: str = "run-1", **values: Any) -> KernelRef:
    """Pushes a kernel; returns its version."""
    return target.push(metadata(**values), kernel(text, run), timeout_seconds=None).ref


def ended(target: Slurm, ref: KernelRef) -> SessionState:
    """The state of a run once it has ended."""
    return reached(target, ref, lambda state: not state.state.is_active)


def running(target: Slurm, ref: KernelRef) -> SessionState:
    """The state of a run once its program has printed something."""
    until(lambda: target.log(ref) != [])
    return reached(target, ref, lambda state: state.state is RunState.RUNNING)


def reached(target: Slurm, ref: KernelRef, condition: Callable[[SessionState], bool]) -> SessionState:
    found = target.state(ref)

    def is_reached() -> bool:
        nonlocal found
        found = target.state(ref)
        return condition(found)

    until(is_reached)
    return found


def until(condition: Callable[[], bool]) -> None:
    """Waits for it, at most two minutes."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.2)


def text_of(target: Slurm, ref: KernelRef) -> str:
    return "".join(record.data for record in target.log(ref))
