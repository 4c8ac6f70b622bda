"""Kaggle's rules: machine shapes and time limits."""

import pytest

from coordinator.kaggle_rules import MACHINE_SHAPES, kind_of_shape, normal_shape
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
        ("Gpu", (False, False), "NvidiaTeslaT4"),
        (" nvidia tesla t4 highmem", (False, False), "NvidiaTeslaT4Highmem"),
        ("cpu", (False, False), ""),
        ("None", (True, False), ""),
        ("NvidiaB200", (False, False), "NvidiaB200"),
    ],
)
def test_machine_shapes(asked: str, flags: tuple[bool, bool], given: str) -> None:
    """Retired shapes are replaced as on Kaggle, unknown ones kept; the old flags count only if no shape is named."""
    assert rules.given_shape(asked, enable_gpu=flags[0], enable_tpu=flags[1]) == given


@pytest.mark.parametrize("name", [*MACHINE_SHAPES, "gpu", "tpu", "cpu", "none", "NvidiaB200", "TPUv9", "abacus"])
def test_machines_are_those_of_coord(name: str) -> None:
    """What `coord build` makes of a name, and what the local Kaggle gives for it, is one machine of one kind."""
    built = normal_shape(name)
    shape = MACHINE_SHAPES.get(built or "")
    meant = built if shape is None or not shape.runs_as else shape.runs_as.replace("a CPU", "")
    assert rules.given_shape(name.upper(), enable_gpu=False, enable_tpu=False).lower() == (meant or "").lower()
    given = rules.given_shape(name, enable_gpu=False, enable_tpu=False)
    assert (rules.is_gpu(given), rules.is_tpu(given)) == tuple(kind_of_shape(meant) == kind for kind in ("gpu", "tpu"))


def test_session_limits() -> None:
    """Twelve hours, nine on a TPU; a shorter limit is kept, a longer one reduced."""
    assert rules.session_limit("", None) == 12 * 3600
    assert rules.session_limit("TpuV5E8", None) == 9 * 3600
    assert rules.session_limit("NvidiaTeslaT4", 60) == 60
    assert rules.session_limit("NvidiaTeslaT4", 10**6) == 12 * 3600
    assert rules.session_limit("", -5) == 12 * 3600
