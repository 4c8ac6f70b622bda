"""Many kernels as one array with a cap: each member a run of its own."""

from __future__ import annotations

from coordinator.errors import TargetError
from coordinator.target.protocol import KernelPush, Pushed, RunState
from coordinator.target.slurm.client import Slurm
from tests.clusters.engines import Slurm as Engine
from tests.clusters.slurm_target import kernel, metadata, text_of, uni as uni, until

MEMBER = "import time\nprint('member {}')\ntime.sleep(0.5)"


def _pushes(count: int) -> list[KernelPush]:
    return [
        KernelPush(metadata(f"s{number}"), kernel(MEMBER.format(number), f"run-{number}")) for number in range(count)
    ]


def test_an_array_with_a_cap(uni: Slurm, slurm_cluster: Engine) -> None:
    pushes = _pushes(4)
    answers = uni.push_many(pushes, at_once=2)
    refs = [answer.ref for answer in answers if isinstance(answer, Pushed)]
    assert [ref.slug for ref in refs] == [f"s{number}" for number in range(4)]
    again = uni.push_many(pushes, at_once=2)
    assert [answer.ref for answer in again if isinstance(answer, Pushed)] == refs
    most = 0

    def have_ended() -> bool:
        nonlocal most
        states = uni.states(refs)
        most = max(most, sum(state.state is RunState.RUNNING for state in states))
        return not any(state.state.is_active for state in states)

    until(have_ended)
    assert 1 <= most <= 2
    assert {state.state for state in uni.states(refs)} == {RunState.COMPLETE}
    assert [text_of(uni, ref) for ref in refs] == [f"member {number}\n" for number in range(4)]
    homes = {line for line in slurm_cluster("squeue", "-h", "-t", "all", "-o", "%Z").split() if uni.far.root in line}
    assert len(homes) == 1


def test_one_member_is_cancelled_and_the_others_go_on(uni: Slurm) -> None:
    answers = uni.push_many(_pushes(3), at_once=1)
    refs = [answer.ref for answer in answers if isinstance(answer, Pushed)]
    uni.cancel(refs[1])
    until(lambda: not any(state.state.is_active for state in uni.states(refs)))
    assert [state.state for state in uni.states(refs)] == [RunState.COMPLETE, RunState.CANCELLED, RunState.COMPLETE]
    assert uni.log(refs[1]) == []


def test_a_member_that_cannot_be_pushed_has_its_own_error(uni: Slurm) -> None:
    pushes = [*_pushes(1), KernelPush(metadata("odd", machine_shape="TpuV6E8"), kernel("print()", "run-9"))]
    good, bad = uni.push_many(pushes, at_once=None)
    assert isinstance(good, Pushed)
    assert isinstance(bad, TargetError)
    assert "no request for the machine" in bad.what
