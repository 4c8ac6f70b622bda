"""What a kernel asks of a Ray cluster, and whether there is room for it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from coordinator.errors import NoSlot, TargetError
from coordinator.project.target_settings import RayRequest, RaySettings
from coordinator.target.ray.jobs import Node, RayJob
from coordinator.target.ray.room import asked, check_room, never_fits

SETTINGS = RaySettings(
    kind="ray",
    address="http://10.0.0.5:8265",
    root="/shared",
    cpus=2,
    memory_gib=1,
    shapes={"NvidiaTeslaT4": RayRequest(gpus=2, cpus=4, resources={"t4": 1})},
)
NODES = [Node({"CPU": 8, "GPU": 2}, {"CPU": 2}), Node({"CPU": 4, "GPU": 4}, {"CPU": 4})]


def job(status: str, asks: Mapping[str, float] | None, *, begun: float = 0.0) -> RayJob:
    return RayJob(id="x", status=status, message="", code=None, begun=begun, asks=asks)


def test_a_machine_asks_for_what_the_settings_say() -> None:
    assert asked(SETTINGS, "lab", None) == {"CPU": 2, "memory": 1 << 30}
    assert asked(SETTINGS, "lab", "nvidiaTeslaT4") == {"CPU": 4, "GPU": 2, "memory": 1 << 30, "t4": 1}
    with pytest.raises(TargetError) as refused:
        asked(SETTINGS, "lab", "NvidiaTeslaP100")
    assert "[tool.coord.targets.lab]: shapes = { NvidiaTeslaP100 = { gpus = 1 } }" in str(refused.value.hint)


@pytest.mark.parametrize(
    ("asks", "lack"),
    [
        ({"CPU": 8, "GPU": 2}, ""),
        ({}, ""),
        ({"CPU": 9}, "it asks for 9 CPU, and the largest machine has 8 CPU"),
        ({"GPU": 5, "CPU": 1}, "it asks for 5 GPU, and the largest machine has 4 GPU"),
        ({"memory": 2 << 30}, "it asks for 2 GiB of memory, and the largest machine has 0 GiB of memory"),
        ({"CPU": 8, "GPU": 4}, "no machine has all of 8 CPU, 4 GPU"),
    ],
)
def test_what_never_fits_is_named_with_its_numbers(asks: Mapping[str, float], lack: str) -> None:
    """A job runs on one machine: what two of them have together is not enough."""
    assert never_fits(asks, NODES) == lack


@pytest.mark.parametrize(
    ("asks", "jobs", "why"),
    [
        ({"CPU": 6}, [], ""),
        ({"CPU": 7}, [], "no room for 7 CPU now: of 12 CPU, 6 CPU are in use"),
        ({"GPU": 2}, [job("SUCCEEDED", {"GPU": 6}), job("RUNNING", None)], ""),
        # The head has not said yet what these use.
        ({"GPU": 2}, [job("RUNNING", {"GPU": 2}), job("PENDING", {"GPU": 3}, begun=95)], "no room for 2 GPU now"),
        ({"CPU": 1}, [job("PENDING", {"GPU": 4})], "1 of coord's jobs wait in its queue"),
    ],
)
def test_what_does_not_fit_now_waits(asks: Mapping[str, float], jobs: list[RayJob], why: str) -> None:
    if not why:
        check_room(asks, NODES, jobs, at_once=0, now=100.0)
        return
    with pytest.raises(NoSlot) as refused:
        check_room(asks, NODES, jobs, at_once=0, now=100.0)
    assert why in refused.value.what


def test_a_cluster_that_grows_takes_as_many_jobs_as_the_settings_say() -> None:
    active = [job("PENDING", {"GPU": 1}), job("RUNNING", {}), job("FAILED", {}), job("RUNNING", None)]
    check_room({"GPU": 64}, [], active, at_once=3, now=0.0)
    with pytest.raises(NoSlot, match="2 jobs of coord's, and at_once is 2"):
        check_room({"GPU": 64}, [], active, at_once=2, now=0.0)


def test_what_never_fits_is_refused_and_not_waited_for() -> None:
    with pytest.raises(TargetError) as refused:
        check_room({"GPU": 5}, NODES, [], at_once=0, now=0.0)
    assert not isinstance(refused.value, NoSlot)
