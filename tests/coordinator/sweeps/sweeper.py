"""Sweeps of the tiny project on a target in memory, and the names of a grid's experiments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from coordinator.clock import Clock
from coordinator.errors import CoordError
from coordinator.ledger.ledger import Ledger, Run
from coordinator.ledger.sweeps import Sweep
from coordinator.project.project import Project
from coordinator.sweeps.plan import Plan, Variation, begin, plan_sweep
from coordinator.sweeps.push import SweepOptions, resume
from coordinator.target.protocol import RunState, SessionState
from coordinator.workspace import Workspace
from tests.coordinator.targets import MemoryTarget

GRID = ("optim.lr=0.1,0.2", "train.epochs=1,2")
NAMES = [f"base--lr{lr}-epochs{epochs}" for lr in ("0.1", "0.2") for epochs in (1, 2)]


def _target() -> MemoryTarget:
    """With room for two sessions, which are complete when a test ends them."""
    return MemoryTarget(slots=2, session=SessionState(RunState.COMPLETE))


@dataclass
class Sweeper:
    """Sweeps in the tiny project, on a time that passes only by waiting."""

    project: Project
    ledger: Ledger
    target: MemoryTarget = field(default_factory=_target)
    said: list[str] = field(default_factory=list)
    pushed: list[Run] = field(default_factory=list)
    event: Callable[[], object] = lambda: None
    passed: float = 0.0

    def plan(self, *grid: str, seeds: int | None = None, **options: Any) -> Plan:
        varied = Variation(grid or GRID, seeds)
        return plan_sweep(Workspace(self.project, self.ledger), "base", varied, target="local", **options)

    def begin(self, *grid: str) -> Sweep:
        return begin(self.ledger, self.plan(*grid), is_named=False)

    def resume(self, sweep: Sweep, *, wait: bool = False, retry: bool = False) -> list[CoordError]:
        clock = Clock(seconds=lambda: 2e9 + self.passed, sleep=self.sleep)
        return resume(
            Workspace(self.project, self.ledger, self.target, clock=clock, say=self.said.append),
            sweep,
            options=SweepOptions(wait, retry),
            pushed=self.pushed.append,
        )

    def sleep(self, seconds: float) -> None:
        self.passed += seconds
        self.event()

    @property
    def versions(self) -> dict[str, int]:
        """How many versions each kernel has."""
        return {slug: len(sources) for slug, sources in self.target.sources.items()}

    def all_done(self, sweep: Sweep, state: RunState = RunState.COMPLETE) -> None:
        """Every session ends, and coord sees that."""
        self.target.running.clear()
        self.target.session = SessionState(state)
        for run in self.ledger.runs():
            if run.state.is_active and run.version:
                self.ledger.update(run.id, state=state)


def slugs(names: list[str]) -> set[str]:
    """The slugs of the kernels of these experiments."""
    return {"tiny-" + name.replace("--", "-").replace(".", "-") for name in names}
