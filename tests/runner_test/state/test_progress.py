"""The states of a session."""

from kagglesdk.kernels.types.kernels_enums import KernelWorkerStatus

from runner_test.state import State


def test_states_are_kaggles() -> None:
    """The names are those of kagglesdk's enumeration, and four of them are final."""
    assert {state.value for state in State} <= KernelWorkerStatus.__members__.keys()
    ended = {State.COMPLETE, State.ERROR, State.CANCEL_ACKNOWLEDGED}
    assert {state for state in State if state.final} == {*ended, State.NEW_SCRIPT}
