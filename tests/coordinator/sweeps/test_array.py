"""A sweep on a target that has arrays: one request for all of its experiments, each a run of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from coordinator.bundle import sources
from coordinator.bundle.bootstrap import stamp_of
from coordinator.errors import CoordError, ExperimentError, NoAnswer, TargetError, UsageError
from coordinator.sweeps.push import SweepOptions, resume
from coordinator.target.abilities import ABILITIES, Abilities
from coordinator.target.kernel_ref import KernelRef
from coordinator.target.protocol import KernelPush, Pushed, RunState, SessionState
from coordinator.workspace import Workspace
from tests.coordinator.sweeps.sweeper import NAMES, Sweeper, slugs
from tests.coordinator.targets import MemoryTarget


@dataclass
class Arrays(MemoryTarget):
    """A target in memory that takes arrays."""

    caps: list[int | None] = field(default_factory=list)
    """`at_once` of each request."""
    refused: dict[str, TargetError] = field(default_factory=dict)
    """By slug."""
    is_lost: bool = False
    """The next answer is lost, after the kernels were taken."""

    @property
    def abilities(self) -> Abilities:
        return ABILITIES["slurm"]

    def push_many(self, pushes: Sequence[KernelPush], *, at_once: int | None) -> Sequence[Pushed | CoordError]:
        self.caps.append(at_once)
        answers: list[Pushed | CoordError] = []
        for each in pushes:
            slug = each.metadata.slug
            if slug in self.refused:
                answers.append(self.refused[slug])
                continue
            self.sources.setdefault(slug, []).append(each.source)
            answers.append(Pushed(KernelRef(self.owner, slug, len(self.sources[slug])), "", ()))
        if self.is_lost:
            self.is_lost = False
            raise NoAnswer("the connection was lost")
        return answers


@pytest.fixture
def arrays(sweeper: Sweeper) -> Arrays:
    sweeper.target = Arrays(session=SessionState(RunState.COMPLETE))
    return sweeper.target


def _resume(sweeper: Sweeper, at_once: int | None = None) -> list[CoordError]:
    here = Workspace(sweeper.project, sweeper.ledger, sweeper.target, say=sweeper.said.append)
    sweep = sweeper.begin()
    return resume(here, sweep, options=SweepOptions(at_once=at_once), pushed=sweeper.pushed.append)


def test_one_request_with_a_cap(sweeper: Sweeper, arrays: Arrays) -> None:
    """Each experiment is a run whose id is in its kernel; a resume has nothing left to push."""
    assert _resume(sweeper, at_once=2) == []
    assert arrays.caps == [2]
    assert sweeper.versions == dict.fromkeys(slugs(NAMES), 1)
    runs = {run.slug: run.id for run in sweeper.pushed}
    assert {slug: stamp_of(texts[0])["run"] for slug, texts in arrays.sources.items()} == runs
    assert _resume(sweeper) == []
    assert arrays.caps == [2]


def test_what_one_is_refused_the_others_run(sweeper: Sweeper, arrays: Arrays) -> None:
    """It is refused in the ledger, too, and the next resume tries it again."""
    first = min(slugs(NAMES))
    arrays.refused[first] = TargetError("no such partition")
    assert [error.what for error in _resume(sweeper)] == ["no such partition"]
    states = {run.slug: run.state for run in sweeper.ledger.runs()}
    assert states.pop(first) is RunState.REFUSED
    assert set(states.values()) == {RunState.QUEUED}
    del arrays.refused[first]
    assert _resume(sweeper) == []
    assert sweeper.versions == dict.fromkeys(slugs(NAMES), 1)


def test_a_lost_answer_pushes_nothing_twice(sweeper: Sweeper, arrays: Arrays) -> None:
    """The target is asked for each run, and what arrived is adopted."""
    arrays.is_lost = True
    assert _resume(sweeper) == []
    assert len(sweeper.pushed) == 4
    assert sweeper.versions == dict.fromkeys(slugs(NAMES), 1)
    assert all(run.version == 1 for run in sweeper.ledger.runs())


def test_the_sources_are_read_once_for_all(sweeper: Sweeper, arrays: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once for the plan and once for the push, however many they are; changed between the two, none is sent."""
    asked: list[str] = []

    def counted(root: Path, entry: str, *further: Any, **options: Any) -> sources.Collected:
        asked.append(entry)
        return gather(root, entry, *further, **options)

    gather = sources.gather
    monkeypatch.setattr(sources, "gather", counted)
    sweep = sweeper.begin()
    assert len(asked) == 1
    engine = sweeper.project.root / "tiny_model" / "engine.py"
    engine.write_text((before := engine.read_text()).replace("0.05", "0.06"))
    with pytest.raises(ExperimentError, match="is not what it was when the sweep"):
        sweeper.resume(sweep)
    assert arrays.caps == []
    engine.write_text(before)
    asked.clear()
    assert sweeper.resume(sweep) == []
    assert (len(asked), arrays.caps, len(sweeper.pushed)) == (1, [None], len(NAMES))


def test_a_cap_needs_arrays(sweeper: Sweeper) -> None:
    with pytest.raises(UsageError, match="no array of kernels with a cap"):
        _resume(sweeper, at_once=2)
