"""A plan of faults: its file, its checks, and that a fault which never happened is reported."""

import json
from pathlib import Path

import pytest

from runner_test.errors import BadPlan, UnusedFaults
from runner_test.faults import EITHER_WAY, Fault, Faults, Kind
from runner_test.server import running_server
from runner_test.store import Store
from tests.runner_test.faults.planned import Planned
from tests.runner_test.local import Local


def test_what_never_happened_is_named(tmp_path: Path) -> None:
    """Not called, not called often enough, or without an effect: the block fails with an error that names each."""
    faults = Faults(
        [
            Fault("SaveKernel", Kind.RESET),
            Fault("ListKernels", Kind.STATUS, times=3),
            Fault("GetKernelSessionStatus", Kind.RUNNING),
        ]
    )

    def serve() -> None:
        with running_server(tmp_path, faults=faults) as server:
            planned = Planned(Local(server.url, Store(tmp_path)), faults)
            assert planned.ask("ListKernels").status_code == 503
            assert planned.ask("GetKernelSessionStatus").status_code == 403

    with pytest.raises(UnusedFaults) as error:
        serve()
    assert str(error.value).splitlines()[1:] == [
        "  reset before it takes effect, SaveKernel call 1: happened 0 times in 0 calls",
        "  status 503 before it takes effect, ListKernels call 1, 3 times: happened 1 times in 1 calls",
        "  running, GetKernelSessionStatus call 1: happened 0 times in 1 calls",
    ]
    # An exception of the block itself is not replaced.
    with pytest.raises(ZeroDivisionError), running_server(tmp_path, faults=faults):
        raise ZeroDivisionError


def test_what_could_not_happen_did_not(planned: Planned) -> None:
    """The first version has no previous one, and a redirect has no values: the plan stays unused."""
    plan = [Fault("GetKernelSessionStatus", Kind.STALE), Fault("DownloadKernelOutput", Kind.TYPES)]
    planned.faults.plan(plan)
    assert planned.ask("GetKernelSessionStatus", versionLabel="v1").json()["status"] == "ERROR"
    assert planned.ask("DownloadKernelOutput", ownerSlug="me", filePath="a", versionNumber=2).status_code == 200
    assert len(planned.faults.unused()) == 2
    with pytest.raises(UnusedFaults):
        planned.faults.plan([])  # another plan does not hide it
    planned.faults.forget()


def test_a_plans_file(tmp_path: Path) -> None:
    """Every field is read; those with defaults may be left out."""
    file = tmp_path / "plan.json"
    one = {"method": "SaveKernel", "fault": "reset", "when": "after"}
    two = {"method": "*", "fault": "status", "call": 2, "times": None, "status": 429, "retry_after": 3, "message": "m"}
    file.write_text(json.dumps({"faults": [one, two, {"method": "Download", "fault": "slow", "seconds": 0.5}]}))
    faults = Faults.read(file)
    assert faults.next("SaveKernel") == Fault("SaveKernel", Kind.RESET, when="after")
    everything = Fault("*", Kind.STATUS, call=2, times=None, status=429, retry_after=3, message="m")
    assert faults.next("GetKernel") == everything
    assert faults.next("Download") == everything


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"method": "SaveKernel"}, "fault 1 lacks fault"),
        ({"fault": "reset"}, "fault 1 lacks method"),
        ({"method": "SaveKernel", "fault": "explode"}, "no fault 'explode'; there are down, reset"),
        ({"method": "SaveKernel", "fault": "reset", "wen": "after"}, "no setting 'wen'"),
        ({"method": "SaveKernel", "fault": "reset", "call": "2"}, 'call can\'t be "2"'),
        ({"method": "SaveKernel", "fault": "reset", "call": True}, "call can't be true"),
        ({"method": "SaveKernel", "fault": "reset", "call": 0}, "count from 1"),
        ({"method": "SaveKernel", "fault": "reset", "when": "during"}, "before or after"),
        ({"method": "SaveKernel", "fault": "cut", "when": "after"}, "leave out when"),
        ({"method": "SaveKernel", "fault": "status", "status": 200}, "from 400 to 599"),
        ({"method": "SaveKernel", "fault": "slow", "seconds": -1}, "0 or more"),
        ({"method": "SaveKernel", "fault": "slow", "seconds": float("inf")}, "0 or more"),
        ({"method": "SaveKernel", "fault": "status", "retry_after": -1}, "0 or more"),
        ({"method": "saveKernel", "fault": "reset"}, "no method 'saveKernel' (did you mean 'SaveKernel'?)"),
        ({"method": "SaveKernel", "fault": "stale"}, "SaveKernel can't fail that way"),
        ({"method": "Download", "fault": "types"}, "Download can't fail that way"),
        ("reset", "is not an object"),
    ],
)
def test_an_invalid_plan(tmp_path: Path, entry: object, message: str) -> None:
    """The message names the file, the entry and the problem."""
    file = tmp_path / "plan.json"
    file.write_text(json.dumps({"faults": [entry]}))
    with pytest.raises(BadPlan) as error:
        Faults.read(file)
    assert str(error.value).startswith(str(file))
    assert message in str(error.value)


@pytest.mark.parametrize("text", ["", "[]", '{"fault": []}', '{"faults": {}}'])
def test_a_file_that_is_no_plan(tmp_path: Path, text: str) -> None:
    """The message shows the form of a plan, or says that the file is not JSON."""
    file = tmp_path / "plan.json"
    file.write_text(text)
    with pytest.raises(BadPlan, match=r"is not JSON|a plan is"):
        Faults.read(file)
    with pytest.raises(BadPlan, match="can't be read"):
        Faults.read(tmp_path / "none.json")


def test_every_kind_says_when_it_happens() -> None:
    """The descriptions of the five kinds in EITHER_WAY say before or after what they happen, the others' don't."""
    methods = ("ListKernels", "GetKernelSessionStatus", "Download", "ListKernelSessionOutput", "Upload")
    for kind in Kind:
        method = next(name for name in methods if Fault("*", kind).applies(name))
        assert ("takes effect" in str(Fault(method, kind))) == (kind in EITHER_WAY)
