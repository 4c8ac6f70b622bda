"""The verb cancel: it ends the right version or none, by the session's number or by deleting the kernel."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import pytest

from coordinator.clock import Clock
from coordinator.errors import CoordError, Later, NoAnswer, RunFailed, TargetError, UsageError
from coordinator.files import held
from coordinator.kernel.build import build_kernel
from coordinator.ledger.ledger import Ledger, Run
from coordinator.project.experiment import resolve
from coordinator.project.project import Project
from coordinator.runs import push
from coordinator.runs.cancel import Deletion, cancel_run, choose, confirmed, where
from coordinator.target.kaggle import Kaggle
from coordinator.target.open import open_target
from coordinator.target.protocol import KernelRef, RunState, SessionState
from coordinator.workspace import Workspace
from tests.coordinator.command import Coord, delete_kernels
from tests.coordinator.sample_runs import BARE
from tests.coordinator.targets import RUNNING_SESSION, MemoryTarget, source_of


def test_cancelling_on_the_local_kaggle(coord: Coord) -> None:
    """Only the named version ends; to cancel a version that has ended is an error."""
    coord("push", "--exp", "slow")
    coord("push", "--exp", "slow", "--force")
    assert coord("cancel", "--exp", "slow", "--version", "1").stdout == "slow local-v1 was cancelled\n"
    done = coord.json("cancel", "--exp", "slow")
    assert (done["version"], done["state"]) == (2, "cancelled")
    assert "slow local-v2 has ended: it was cancelled" in coord("cancel", "--exp", "slow", code=1).stderr


@dataclass
class Cancelling(MemoryTarget):
    """The kernel smoke; its sessions can, or cannot, be cancelled; a delete may lose its answer, or do nothing."""

    session: SessionState | None = RUNNING_SESSION
    can_cancel: bool = False
    lost: bool = False
    """The answer to a delete does not arrive."""
    takes_effect: bool = True

    def cancel(self, ref: KernelRef) -> bool:
        self.asked.append(f"cancel {ref}")
        return self.can_cancel

    def delete(self, owner: str, slug: str) -> None:
        self.asked.append(f"delete {owner}/{slug}")
        if self.takes_effect:
            del self.sources[slug]
        if self.lost:
            raise NoAnswer("no answer in time")


def _target(*run_ids: str, **changes: bool) -> Cancelling:
    """A target with one version of the kernel smoke per run."""
    return Cancelling({"smoke": [source_of(run_id) for run_id in run_ids]}, **changes)  # type: ignore[arg-type]


RUN = dataclasses.replace(BARE, id="r2", state=RunState.RUNNING, version=2)
OTHER = dataclasses.replace(BARE, id="r1", experiment="other", state=RunState.COMPLETE, version=1)


def _yes(deletion: Deletion) -> bool:
    del deletion
    return True


def test_another_runs_version_is_never_cancelled(tiny: Project, ledger: Ledger) -> None:
    """The kernel was created again elsewhere: its version 2 is not this run's."""
    ledger.add(RUN)
    target = _target("x", "y", can_cancel=True)
    with pytest.raises(TargetError, match="ada/smoke v2 is not smoke local-v2: it was pushed by run y"):
        cancel_run(Workspace(tiny, ledger, target), RUN, confirm=_yes)
    assert target.asked == ["v2"]
    assert ledger.get("r2") == RUN


def test_what_a_delete_takes_along_is_said_before(tiny: Project, ledger: Ledger) -> None:
    """Other running versions, unfetched results, versions of unknown origin; without consent nothing changes."""
    ledger.add(OTHER)
    ledger.add(RUN)
    ledger.add(dataclasses.replace(RUN, id="r4", version=4))
    target = _target("r1", "r2", "r3", "r4")
    seen: list[Deletion] = []

    def no(deletion: Deletion) -> bool:
        seen.append(deletion)
        return False

    with pytest.raises(TargetError, match="nothing was deleted: smoke local-v2 continues"):
        cancel_run(Workspace(tiny, ledger, target), RUN, confirm=no)
    (asked,) = seen
    assert [run.id for run in asked.active] == ["r4"]
    assert [run.id for run in asked.unfetched] == ["r1"]
    assert asked.unknown == (3,)
    for words in ("ada/smoke", "smoke local-v4", "other local-v1", "v3"):
        assert words in str(asked)
    assert "delete ada/smoke" not in target.asked
    assert ledger.get("r2").state is RunState.RUNNING

    assert cancel_run(Workspace(tiny, ledger, target), RUN, confirm=_yes).state is RunState.CANCELLED
    assert ledger.get("r4").state is RunState.CANCELLED
    assert ledger.get("r1") == OTHER


@pytest.mark.parametrize(
    ("lost", "takes_effect", "error"),
    [(False, True, None), (True, True, None), (True, False, NoAnswer), (False, False, TargetError)],
)
def test_a_delete_counts_when_the_kernel_is_gone(
    tiny: Project, ledger: Ledger, *, lost: bool, takes_effect: bool, error: type[CoordError] | None
) -> None:
    """Whatever the answer of the target was, and whether or not it arrived."""
    ledger.add(RUN)
    target = _target("r1", "r2", lost=lost, takes_effect=takes_effect)
    if error is None:
        run = cancel_run(Workspace(tiny, ledger, target), RUN, confirm=_yes)
        assert (run.state, run.message) == (RunState.CANCELLED, "its kernel was deleted to stop it")
        assert run.ended_at is not None
    else:
        with pytest.raises(error):
            cancel_run(Workspace(tiny, ledger, target), RUN, confirm=_yes)
        assert ledger.get("r2").state is RunState.RUNNING
    assert target.asked.count("delete ada/smoke") == 1


def test_a_kernel_that_is_gone_runs_no_more(tiny: Project, ledger: Ledger) -> None:
    """Somebody deleted it by hand: there is nothing to cancel, and the ledger records that."""
    ledger.add(RUN)
    run = cancel_run(Workspace(tiny, ledger, _target()), RUN, confirm=_yes)
    assert (run.state, run.message) == (RunState.CANCELLED, "its kernel is gone")


def test_a_session_that_takes_its_time_is_later(tiny: Project, ledger: Ledger) -> None:
    """The request is sent once; a session that still runs after half a minute is not reported as cancelled."""
    ledger.add(RUN)
    target, slept = _target("r1", "r2", can_cancel=True), list[float]()
    with pytest.raises(Later, match="was asked to stop, and is still running"):
        cancel_run(Workspace(tiny, ledger, target, clock=Clock(sleep=slept.append)), RUN, confirm=_yes)
    assert sum(slept) == pytest.approx(30.0)
    assert target.asked.count("cancel ada/smoke v2") == 1
    assert ledger.get("r2").state is RunState.RUNNING
    target.session = SessionState(RunState.COMPLETE)
    assert (
        cancel_run(Workspace(tiny, ledger, target, clock=Clock(sleep=slept.append)), RUN, confirm=_yes).state
        is RunState.COMPLETE
    )


def test_nothing_is_cancelled_while_the_kernel_is_being_pushed(tiny: Project, ledger: Ledger) -> None:
    """A delete would remove the new version, too."""
    ledger.add(RUN)
    target = _target("r1", "r2")
    with held(tiny.push_lock("local", "smoke"), wait=True), pytest.raises(Later, match="is being pushed"):
        cancel_run(Workspace(tiny, ledger, target), RUN, confirm=_yes)
    assert target.asked == []


def test_which_run_is_meant(tiny: Project, ledger: Ledger) -> None:
    """The active run, even if a later one has ended; a push without an answer is settled first."""
    ledger.add(dataclasses.replace(RUN, id="r1", version=1))
    ledger.add(dataclasses.replace(RUN, state=RunState.ERROR))
    target = _target("r1", "r2", "r3")
    assert choose(Workspace(tiny, ledger, target), "smoke", None).id == "r1"
    with pytest.raises(RunFailed, match="smoke local-v2 has ended: it has failed"):
        choose(Workspace(tiny, ledger, target), "smoke", 2)
    ledger.add(dataclasses.replace(BARE, id="r3"))
    with pytest.raises(UsageError, match="which one"):
        choose(Workspace(tiny, ledger, target), "smoke", None)
    assert choose(Workspace(tiny, ledger, target), "smoke", 3).id == "r3"


def test_on_which_target(ledger: Ledger) -> None:
    """The target on which the run is active, not the default one; if there are two, one must be named."""
    ledger.add(dataclasses.replace(RUN, id="r1", target="kaggle"))
    ledger.add(dataclasses.replace(RUN, version=3, state=RunState.COMPLETE))
    assert where(ledger, "smoke", None, None) == "kaggle"
    assert where(ledger, "smoke", "local", None) is None
    assert where(ledger, "smoke", None, 3) is None
    ledger.add(dataclasses.replace(RUN, id="r4", version=4))
    with pytest.raises(UsageError, match="smoke is active on kaggle and local"):
        where(ledger, "smoke", None, None)
    assert where(ledger, "smoke", None, 4) == where(ledger, "smoke", "local", None) == "local"


def _deletion(**changes: object) -> Deletion:
    values: dict[str, object] = {"run": RUN, "kernel": "ada/smoke", "active": (), "unfetched": (), "unknown": ()}
    return Deletion(**{**values, **changes})  # type: ignore[arg-type]  # by name


@pytest.mark.parametrize(("typed", "deletes"), [("ada/smoke\n", True), ("y\n", False), ("", False)])
def test_the_kernels_name_has_to_be_typed(*, typed: str, deletes: bool) -> None:
    """The answer "y" is not enough."""
    assert confirmed(_deletion(), yes=False, ask=lambda question: typed) is deletes


def test_yes_is_for_scripts_and_for_one_run() -> None:
    """It deletes without a question, but not if another version is active or unknown here."""
    assert confirmed(_deletion(), yes=True, ask=None) is True
    with pytest.raises(UsageError, match="coord cannot ask here"):
        confirmed(_deletion(), yes=False, ask=None)
    for more in (_deletion(active=(RUN,)), _deletion(unknown=(7,))):
        with pytest.raises(UsageError, match="more than this run to lose"):
            confirmed(more, yes=True, ask=None)


def test_the_delete_on_the_local_kaggle(tiny: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unlike Kaggle, which does not publish a session's number: the session ends, and a new push has version 1."""
    monkeypatch.setattr(Kaggle, "cancel", lambda self, ref: False)

    def pushed() -> Run:
        built = build_kernel(tiny, resolve(tiny, "slow", []))
        return push.push_kernel(Workspace(tiny, ledger, target, say=lambda text: None), built, force=False)

    try:
        with Ledger(tiny.ledger) as ledger, open_target(tiny, "local") as target:
            first = pushed()
            assert cancel_run(Workspace(tiny, ledger, target), first, confirm=_yes).state is RunState.CANCELLED
            assert target.source("ada", "tiny-slow") is None
            second = pushed()
            assert (second.version, second.id != first.id) == (1, True)
            assert ledger.get(first.id).state is RunState.CANCELLED
            assert choose(Workspace(tiny, ledger, target), "slow", None).id == second.id
    finally:
        delete_kernels(tiny.local_kaggle)
