"""Several experiments are pushed one after the other: an error does not stop the others, a full target does."""

from __future__ import annotations

from coordinator.errors import ExperimentError, NoSlot
from coordinator.ledger.ledger import Ledger
from coordinator.project.project import Project
from coordinator.runs.push_several import push_several
from coordinator.target.protocol import RunState
from coordinator.workspace import Workspace
from tests.coordinator.targets import MemoryTarget


def test_each_is_tried_until_there_is_no_session_left(tiny: Project) -> None:
    """One is pushed, one is unknown, one is refused at the session limit; the one after that is not tried."""
    said: list[str] = []
    with Ledger(tiny.ledger) as ledger:
        here = Workspace(tiny, ledger, MemoryTarget(name="kaggle", slots=1), say=said.append)
        names = ["base", "missing", "slow", "crash"]
        pushed, unknown, refused = push_several(here, names, [], force=False, wait_for_slot=False)
        states = {run.experiment: run.state for run in ledger.runs()}
    assert pushed.run is not None
    assert (pushed.run.label, pushed.error, pushed.not_tried) == ("base kaggle-v1", None, ())
    assert isinstance(unknown.error, ExperimentError)
    assert (unknown.run, unknown.not_tried) == (None, ())
    assert isinstance(refused.error, NoSlot)
    assert (refused.run, refused.not_tried) == (None, ("crash",))
    assert states == {"base": RunState.QUEUED, "slow": RunState.REFUSED}
    assert "pushed base kaggle-v1" in said


def test_what_was_done_before_is_not_pushed_again(tiny: Project) -> None:
    """The same work under another name: the complete run is the result; with `force` it is pushed again."""
    said: list[str] = []
    with Ledger(tiny.ledger) as ledger:
        target = MemoryTarget(name="kaggle", slots=1)
        here = Workspace(tiny, ledger, target, say=said.append)
        (first,) = push_several(here, ["base"], [], force=False, wait_for_slot=False)
        assert first.run is not None
        done = ledger.update(first.run.id, state=RunState.COMPLETE)
        copy = tiny.experiment_file("copy")
        copy.write_text("base: base\nabout: the same by another name\n")
        (again,) = push_several(here, ["copy"], [], force=False, wait_for_slot=False)
        assert again.run == done
        assert said[-1] == "base kaggle-v1 has done the same and is complete: not pushed again (--force repeats it)"
        target.running.clear()
        (forced,) = push_several(here, ["copy"], [], force=True, wait_for_slot=False)
        assert forced.run is not None
        assert forced.run.label == "copy kaggle-v1"
