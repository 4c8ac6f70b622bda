"""A chain in the tiny project (infer needs base and folds) on a target in memory, whose sessions end as time passes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from coordinator.bundle.bootstrap import stamp_of
from coordinator.clock import Clock
from coordinator.ledger.ledger import Ledger, Run
from coordinator.project.project import Project
from coordinator.runs.chain import push_chain
from coordinator.runs.chain_plan import Step, chain_of_needs, plan_chain
from coordinator.target.protocol import RunState, SessionState
from coordinator.workspace import Workspace
from tests.coordinator.targets import MemoryTarget

FILES = {
    "folds": "base: base\nconfig: {seed: 7}\n",
    "infer": "base: base\nconfig: {seed: 8}\nneeds: {weights: base, folds: folds}\n",
}
SLUGS = ("tiny-base", "tiny-folds", "tiny-infer")


def _target() -> MemoryTarget:
    return MemoryTarget(slots=2, session=SessionState(RunState.COMPLETE))


@dataclass
class Chained:
    """Pushes of the chain; every wait ends the session that has run longest."""

    project: Project
    ledger: Ledger
    target: MemoryTarget = field(default_factory=_target)
    said: list[str] = field(default_factory=list)
    waits: Callable[[], object] = lambda: None
    """Called at each wait."""
    passed: float = 0.0

    def __post_init__(self) -> None:
        for name, text in FILES.items():
            self.write(name, text)

    @property
    def here(self) -> Workspace:
        clock = Clock(seconds=lambda: time.time() + self.passed, sleep=self._sleep)
        return Workspace(self.project, self.ledger, self.target, clock=clock, say=self.said.append)

    def _sleep(self, seconds: float) -> None:
        self.passed += seconds
        self.target.running[:1] = []
        self.waits()

    def push(
        self, *names: str, sets: Sequence[str] = (), force: bool = False, wait_for_slot: bool = False
    ) -> list[Run]:
        """The runs of the named experiments."""
        results = push_chain(self.here, names or ["infer"], sets, force=force, wait_for_slot=wait_for_slot)
        return [result.run for result in results if result.run is not None]

    def plan(self, *names: str, force: bool = False) -> dict[str, Step]:
        links = chain_of_needs(self.project, names or ["infer"], force=force)
        return {step.experiment: step for step in plan_chain(self.here, links)}

    def write(self, name: str, text: str) -> None:
        """The file of an experiment."""
        self.project.experiment_file(name).write_text(text)

    def run(self, experiment: str) -> Run:
        """The newest run of an experiment."""
        return self.ledger.find(experiment)

    def done(self) -> None:
        """The whole chain is complete."""
        self.push()
        self.ends()
        self.push()

    def ends(self, state: RunState = RunState.COMPLETE) -> None:
        """Every session ends now."""
        self.target.running.clear()
        self.target.session = SessionState(state)

    @property
    def pushes(self) -> list[str]:
        """The slugs that were pushed, in their order."""
        return [each.removeprefix("push ") for each in self.target.asked if each.startswith("push ")]

    @property
    def versions(self) -> dict[str, int]:
        """How many versions each kernel has."""
        return {slug: len(sources) for slug, sources in self.target.sources.items()}

    def check_nothing_doubled(self) -> None:
        """Each version on the target is another run of the ledger, which knows it."""
        stamped = [stamp_of(text)["run"] for sources in self.target.sources.values() for text in sources]
        assert sorted(stamped) == sorted(run.id for run in self.ledger.runs() if run.version)
