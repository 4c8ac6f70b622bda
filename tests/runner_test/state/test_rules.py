"""Kaggle's rules: machine shapes and time limits."""

import pytest

from runner_test.state import rules


@pytest.mark.parametrize(
    ("asked", "flags", "given"),
    [
        ("", (False, False), ""),
        ("", (True, False), "NvidiaTeslaT4"),
        ("", (False, True), "TpuV5E8"),
        ("NvidiaTeslaT4", (False, False), "NvidiaTeslaT4"),
        ("NvidiaTeslaP100", (False, False), "NvidiaTeslaT4"),
        ("Tpu1VmV38", (False, False), "TpuV5E8"),
        ("TpuV38", (True, False), "TpuV5E8"),
        ("TpuV2256", (False, False), ""),
        ("TpuV232", (False, False), ""),
        ("Gpu", (False, False), None),
    ],
)
def test_machine_shapes(asked: str, flags: tuple[bool, bool], given: str | None) -> None:
    """Retired shapes are replaced as on Kaggle, and the old flags count only if no shape is named."""
    assert rules.given_shape(asked, enable_gpu=flags[0], enable_tpu=flags[1]) == given


def test_session_limits() -> None:
    """Twelve hours, nine on a TPU; a shorter limit is kept, a longer one reduced."""
    assert rules.session_limit("", None) == 12 * 3600
    assert rules.session_limit("TpuV5E8", None) == 9 * 3600
    assert rules.session_limit("NvidiaTeslaT4", 60) == 60
    assert rules.session_limit("NvidiaTeslaT4", 10**6) == 12 * 3600
    assert rules.session_limit("", -5) == 12 * 3600
