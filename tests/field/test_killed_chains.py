"""A chain of pushes that is killed, or loses an answer, at any step: the same command goes on, and nothing runs twice

Seen: found by trying it on coord: after a push whose answer was lost, a run counted as one without what it has
attached, and when it was complete, the same command ran its work again.
"""

from __future__ import annotations

import pytest

from coordinator.errors import NoAnswer
from coordinator.ledger.ledger import Ledger
from coordinator.project.project import Project
from coordinator.target.protocol import RunState
from tests.coordinator.runs.chained import SLUGS, Chained


class KilledError(BaseException):
    """The end of the process: nothing catches it."""


def killed() -> None:
    raise KilledError


def resumed(tiny: Project, before: Chained, *, is_over: bool) -> None:
    """Another process, with its own ledger, goes on; nothing was doubled, and what is read is what there is."""
    if is_over:
        before.target.running.clear()
    with Ledger(tiny.ledger) as ledger:
        chained = Chained(tiny, ledger, before.target, passed=before.passed + 1)
        (run,) = chained.push()
        chained.ends()
        (again,) = chained.push()
        assert (again.id, again.state) == (run.id, RunState.COMPLETE)
        assert chained.versions == dict.fromkeys(SLUGS, 1)
        chained.check_nothing_doubled()
        assert [str(each.source) for each in run.named_reads] == ["ada/tiny-base v1", "ada/tiny-folds v1"]
        assert {each.state for each in ledger.runs() if each.version} == {RunState.COMPLETE}


@pytest.mark.parametrize(
    ("slug", "arrives", "is_over"),
    [
        ("tiny-base", False, True),
        ("tiny-base", True, False),
        ("tiny-folds", True, True),
        ("tiny-infer", False, True),
        ("tiny-infer", True, False),
        ("tiny-infer", True, True),
    ],
)
def test_killed_while_it_pushes(tiny: Project, ledger: Ledger, slug: str, arrives: bool, is_over: bool) -> None:
    """Before the request arrives, or after it; the sessions may be over when the chain goes on."""
    chained = Chained(tiny, ledger)
    chained.target.push_plan = {slug: [(arrives, KilledError())]}
    with pytest.raises(KilledError):
        chained.push()
    resumed(tiny, chained, is_over=is_over)


@pytest.mark.parametrize(("wait", "is_over"), [(1, True), (2, False)])
def test_killed_while_it_waits(tiny: Project, ledger: Ledger, wait: int, is_over: bool) -> None:
    """For the first need, or for the second one; so is Ctrl-C."""
    chained = Chained(tiny, ledger)
    left = iter([lambda: None] * (wait - 1) + [killed])
    chained.waits = lambda: next(left)()
    with pytest.raises(KilledError):
        chained.push()
    resumed(tiny, chained, is_over=is_over)


@pytest.mark.parametrize(("slug", "arrives"), [("tiny-base", True), ("tiny-infer", True), ("tiny-infer", False)])
def test_an_answer_that_is_lost(tiny: Project, ledger: Ledger, slug: str, arrives: bool) -> None:
    """The target is asked what arrived; then the chain goes on, and so does the same command."""
    chained = Chained(tiny, ledger)
    chained.target.push_plan = {slug: [(arrives, NoAnswer("no answer in time"))]}
    chained.push()
    resumed(tiny, chained, is_over=True)


@pytest.mark.parametrize(
    ("others", "what"),
    [([], "stopped waiting; base local-v1 goes on"), (["a", "b"], "interrupted; what was pushed goes on")],
)
def test_interrupted(tiny: Project, ledger: Ledger, others: list[str], what: str) -> None:
    """Ctrl-C, while it waits for a need or for a free session, says how to go on with the chain."""
    chained = Chained(tiny, ledger)
    chained.target.running = others

    def interrupt() -> None:
        raise KeyboardInterrupt

    chained.waits = interrupt
    with pytest.raises(KeyboardInterrupt) as caught:
        chained.push(sets=["seed=5"], wait_for_slot=True)
    again = "coord push --exp infer --set seed=5 --with-needs --target local"
    assert str(caught.value) == f"{what}. Go on with: {again}"
