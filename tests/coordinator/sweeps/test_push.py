"""Pushes of sweeps: one experiment after the other as sessions become free, and resumed after any failure."""

from __future__ import annotations

import pytest

from coordinator.bundle.bootstrap import stamp_of
from coordinator.errors import CoordError, ExperimentError, Later, NotSent, TargetError
from coordinator.files import held
from coordinator.sweeps.progress import sweep_progress
from coordinator.target.protocol import RunState
from coordinator.workspace import Workspace
from tests.coordinator.sweeps.sweeper import NAMES, Sweeper, slugs


def test_pushed_as_sessions_become_free(sweeper: Sweeper) -> None:
    """Two at once, each exactly once, in their order."""
    sweep = sweeper.begin()

    def end_one() -> None:
        sweeper.target.running[:1] = []

    sweeper.event = end_one
    assert sweeper.resume(sweep, wait=True) == []
    assert sweeper.versions == dict.fromkeys(slugs(NAMES), 1)
    assert [run.experiment for run in sweeper.pushed] == NAMES
    assert len(sweeper.ledger.runs()) == 4
    assert sweeper.resume(sweep) == []
    assert len(sweeper.pushed) == 4


def test_the_session_limit_is_later_if_nobody_waits(sweeper: Sweeper) -> None:
    """The error says how many are left and how to continue; `resume` pushes the rest, nothing twice."""
    sweep = sweeper.begin()
    with pytest.raises(Later, match="2 of 4 are left") as caught:
        sweeper.resume(sweep)
    assert (caught.value.exit_code, caught.value.hint) == (75, "Continue with: coord sweep resume base--lr-epochs")
    assert sweep_progress(Workspace(sweeper.project, sweeper.ledger), sweep).counts == {"waiting": 2, "queued": 2}
    sweeper.all_done(sweep)
    sweeper.resume(sweep)
    assert sweeper.versions == dict.fromkeys(slugs(NAMES), 1)
    assert sweep_progress(Workspace(sweeper.project, sweeper.ledger), sweep).counts == {"queued": 2, "complete": 2}


@pytest.mark.parametrize("arrives", [True, False])
@pytest.mark.parametrize("is_over", [True, False])
def test_a_kill_in_the_middle_of_a_push_doubles_nothing(sweeper: Sweeper, arrives: bool, is_over: bool) -> None:
    """Whether the push arrived or not, and even if its session has ended when the sweep is resumed."""
    sweep = sweeper.begin()
    (slug,) = slugs(NAMES[1:2])
    sweeper.target.push_plan = {slug: [(arrives, KeyboardInterrupt())]}
    with pytest.raises(KeyboardInterrupt):
        sweeper.resume(sweep)
    if is_over:
        sweeper.target.running.clear()
    sweeper.target.slots = 9
    sweeper.resume(sweep)
    assert sweeper.versions == dict.fromkeys(slugs(NAMES), 1)
    stamped = [stamp_of(sources[0])["run"] for sources in sweeper.target.sources.values()]
    assert sorted(stamped) == sorted(run.id for run in sweeper.ledger.runs() if run.version)


def test_one_that_is_refused_does_not_stop_the_others(sweeper: Sweeper) -> None:
    """It is reported at the end, and pushed again by the next `resume`."""
    sweep, sweeper.target.slots = sweeper.begin(), 9
    (slug,) = slugs(NAMES[:1])
    sweeper.target.push_plan = {slug: [(False, TargetError("the title is taken"))]}
    (refused,) = sweeper.resume(sweep)
    assert refused.what == "the title is taken"
    assert [run.experiment for run in sweeper.pushed] == NAMES[1:]
    assert sweep_progress(Workspace(sweeper.project, sweeper.ledger), sweep).counts == {"waiting": 1, "queued": 3}
    sweeper.resume(sweep)
    assert [run.experiment for run in sweeper.pushed] == [*NAMES[1:], NAMES[0]]


@pytest.mark.parametrize("error", [Later("the quota is spent"), NotSent("no connection")])
def test_what_would_happen_to_all_stops_it(sweeper: Sweeper, error: CoordError) -> None:
    """No quota, no connection: the others are not tried, and the hint has the command to continue."""
    sweep = sweeper.begin()
    (slug,) = slugs(NAMES[:1])
    sweeper.target.push_plan = {slug: [(False, error)]}
    with pytest.raises(type(error), match=error.what) as caught:
        sweeper.resume(sweep)
    assert caught.value.hint is not None
    assert "coord sweep resume base--lr-epochs" in caught.value.hint
    assert sweeper.target.sources == {}


def test_what_failed_is_pushed_again_if_that_is_asked_for(sweeper: Sweeper) -> None:
    """Without --retry a failed run is not pushed again; with it there is a new version."""
    sweep, sweeper.target.slots = sweeper.begin(), 9
    sweeper.resume(sweep)
    sweeper.all_done(sweep, RunState.ERROR)
    sweeper.resume(sweep)
    assert set(sweeper.versions.values()) == {1}
    sweeper.resume(sweep, retry=True)
    assert set(sweeper.versions.values()) == {2}


def test_a_sweep_does_not_go_on_with_other_sources(sweeper: Sweeper) -> None:
    """Its runs would not be comparable; a comment in pyproject.toml is no difference."""
    sweep = sweeper.begin()
    with sweeper.project.pyproject.open("a") as file:
        file.write("\n# a comment\n")
    sweeper.target.slots = 1
    with pytest.raises(Later):
        sweeper.resume(sweep)
    engine = sweeper.project.root / "tiny_model" / "engine.py"
    engine.write_text(engine.read_text().replace("0.05", "0.06"))
    with pytest.raises(ExperimentError, match="is not what it was when the sweep"):
        sweeper.resume(sweep)
    assert len(sweeper.pushed) == 1


def test_one_process_at_a_time_works_on_a_sweep(sweeper: Sweeper) -> None:
    """A second process would push the same experiments."""
    sweep = sweeper.begin()
    with (
        held(sweeper.project.sweep_lock(sweep.name), wait=False),
        pytest.raises(CoordError, match="another process is pushing"),
    ):
        sweeper.resume(sweep)
