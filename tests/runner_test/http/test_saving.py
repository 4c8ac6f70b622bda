"""SaveKernel with its rules, and the methods that cancel and delete, called with Kaggle's own client over HTTP."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from kagglesdk.kernels.types.kernels_api_service import (
    ApiCancelKernelSessionRequest,
    ApiCreateKernelSessionRequest,
    ApiDeleteKernelRequest,
    ApiGetKernelRequest,
    ApiGetKernelSessionLogsStreamRequest,
    ApiListKernelFilesRequest,
)
from kagglesdk.kernels.types.kernels_enums import KernelExecutionType

from runner_test.server import running_server
from runner_test.state import Reference, rules
from runner_test.store import Store
from tests.runner_test.local import PLAIN, WAITS_FOR_GO, Local, alive, fill, http_code


def test_a_push_runs_and_completes(local: Local) -> None:
    """SaveKernel returns the version, the address and the kernel's id; its log and output are served."""
    answer = local.push("first-try", "print('hello')\nopen('out.txt', 'w').write('42')\n")
    assert (answer.ref, answer.version_number, answer.error) == ("me/first-try", 1, "")
    assert answer.url == f"{local.url}/code/me/first-try"
    assert answer.kernel_id > 0
    status = local.reach("first-try", "COMPLETE", "ERROR")
    assert (status.status.name, status.failure_message) == ("COMPLETE", "")
    output = local.output("first-try")
    assert [file.file_name for file in output.files] == ["out.txt"]
    assert requests.get(output.files[0].url, timeout=10).text == "42"
    assert "".join(record["data"] for record in json.loads(output.log)) == "hello\n"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"new_title": "four"}, "5 to 50 characters"),
        ({"new_title": "x" * 51}, "5 to 50 characters"),
        ({"new_title": None}, "5 to 50 characters"),
        ({"new_title": "-----"}, "letters or digits"),
        ({"text": ""}, "no source"),
        ({"language": "cobol"}, "python, r, rmarkdown"),
        ({"kernel_type": "poem"}, "script, notebook"),
        ({"language": "r", "kernel_type": "notebook"}, "Python only"),
        ({"kernel_type": "notebook"}, "not a notebook"),
        ({"kernel_execution_type": KernelExecutionType.INTER_ACTIVE}, "no interactive sessions"),
    ],
)
def test_a_push_that_breaks_a_rule(refusing: Local, fields: dict[str, Any], message: str) -> None:
    """The answer's `error` names the problem, with HTTP status 200, and nothing is saved."""
    answer = refusing.push("a-kernel", fields.pop("text", "pass"), **fields)
    assert message in answer.error
    assert not answer.version_number
    assert refusing.store.kernels() == []


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"slug": "anna/a-kernel"}, 403),
        ({"slug": "me/../a"}, 400),
        ({"slug": "../../etc/passwd"}, 400),
        ({"slug": "me/"}, 400),
        ({"slug": "me/a kernel"}, 400),
        ({"slug": "me/.git"}, 400),
        ({"slug": "me/a\0b"}, 400),
        ({"slug": "me/" + "x" * 300}, 400),
        ({"slug": "me/ümlaut"}, 400),
        ({"slug": ""}, 400),
        ({"id": 77}, 403),
        ({"text": "x" * (rules.MAX_SOURCE + 1)}, 400),
        ({"text": "é" * (rules.MAX_SOURCE // 2 + 1)}, 400),
        ({"text": "\ud800"}, 400),
    ],
)
def test_a_push_that_is_refused_outright(refusing: Local, fields: dict[str, Any], code: int) -> None:
    """Other users' names, hostile names and sources over 1 MiB are HTTP errors, and nothing is saved."""
    with pytest.raises(requests.HTTPError) as error:
        refusing.push("a-kernel", fields.pop("text", "pass"), **fields)
    assert http_code(error) == code
    assert refusing.store.kernels() == []
    assert not (refusing.store.root / "kernels").exists()


def test_the_largest_source_is_accepted(local: Local) -> None:
    """Exactly 1 MiB is accepted, counted in bytes of UTF-8, not in characters."""
    source = "#" + "é" * (rules.MAX_SOURCE // 2 - 1) + "\n"
    assert len(source.encode()) == rules.MAX_SOURCE
    assert local.run("big-source", source).status.name == "COMPLETE"


def test_a_new_kernels_slug_comes_from_its_title(local: Local) -> None:
    """As on Kaggle, the requested slug does not exist afterwards, and calls with it are answered with 403."""
    answer = local.push("asked-for", "pass", new_title="Something Else 0.5")
    assert answer.ref == "me/something-else-0-5"
    with pytest.raises(requests.HTTPError) as error:
        local.status("asked-for")
    assert http_code(error) == 403
    assert local.reach("something-else-0-5", "COMPLETE")
    # An existing kernel keeps its slug and gets the new title.
    again = local.push("something-else-0-5", "pass", new_title="New title")
    assert (again.ref, again.version_number) == ("me/something-else-0-5", 2)
    # A title whose slug belongs to another kernel makes no version of that kernel.
    assert "already in use by me/something-else-0-5" in local.push("x-y", "pass", new_title="Something else 0.5").error
    # A kernel's id takes precedence over its slug.
    by_id = local.push("ignored-name", "pass", id=answer.kernel_id)
    assert (by_id.ref, by_id.version_number) == ("me/something-else-0-5", 3)


def test_a_version_that_is_only_saved(local: Local) -> None:
    """QUICK_SAVE: it has no session and takes no quota; what was run before stays the newest run."""
    quick = {"kernel_execution_type": KernelExecutionType.QUICK_SAVE, "machine_shape": "gpu"}
    spent = Store(local.store.root, settings=replace(PLAIN, gpu_quota_hours=0))
    with running_server(spent.root, settings=spent.settings) as server:
        other = Local(server.url, spent)
        assert "Quota Exceeded" in other.push("saved-only", "pass", machine_shape="gpu").error
        answer = other.push("saved-only", "print('never')", **quick)
    assert (answer.error, answer.version_number) == ("", 1)
    assert (local.state("saved-only"), local.status("saved-only").failure_message) == ("NEW_SCRIPT", "")
    named = {"user_name": "me", "kernel_slug": "saved-only"}
    output = local.output("saved-only")
    assert (output.files, json.loads(output.log)) == ([], [])
    assert local.api().list_kernel_files(fill(ApiListKernelFilesRequest(), **named)).files == []
    assert (
        local.api().get_kernel_session_logs_stream(fill(ApiGetKernelSessionLogsStreamRequest(), **named)).json() == []
    )
    assert "never" in local.api().get_kernel(fill(ApiGetKernelRequest(), **named)).blob.source
    # Nothing to attach, and nothing to submit.
    assert local.push("reads-it", "pass", kernel_data_sources=["me/saved-only"]).invalid_kernel_sources

    local.run("saved-only", "open('made', 'w').close()")
    ran = local.api().get_kernel(fill(ApiGetKernelRequest(), **named)).metadata.last_run_time
    local.push("saved-only", "print('again')", **quick)
    assert [local.state("saved-only", f"v{n}") for n in (1, 2, 3)] == ["NEW_SCRIPT", "COMPLETE", "NEW_SCRIPT"]
    found = local.api().get_kernel(fill(ApiGetKernelRequest(), **named)).metadata
    assert (found.current_version_number, found.last_run_time) == (3, ran)
    assert local.push("reads-it", "pass", kernel_data_sources=["me/saved-only"]).invalid_kernel_sources == []
    local.api().delete_kernel(fill(ApiDeleteKernelRequest(), **named))


def test_what_a_push_leaves_out(local: Local) -> None:
    """The documented defaults: private, without accelerator and internet, and an existing kernel's title."""
    local.push("named-once", "pass", is_private=False, enable_internet=True)
    answer = local.push("ignored", "pass", id=local.push("named-once", "pass").kernel_id, new_title=None)
    assert (answer.ref, answer.error, answer.version_number) == ("me/named-once", "", 3)
    request = fill(ApiGetKernelRequest(), user_name="me", kernel_slug="named-once")
    found = local.api().get_kernel(request).metadata
    assert (found.title, found.is_private, found.enable_gpu, found.enable_tpu, found.enable_internet) == (
        *("named once", True),
        *(False, False, False),
    )


def test_refused_sources_are_named_and_the_rest_is_mounted(local: Local, tmp_path: Path) -> None:
    """Unknown, prefixed and malformed sources are returned by kind; the session runs with the valid ones, once each."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "rows.csv").write_text("a,b\n")
    local.store.add_dataset("Anna/Rows", data)
    local.store.add_competition("siim", data)
    local.run("producer", "open('weights', 'w').write('w1')")
    local.run("producer", "open('weights', 'w').write('w2')")
    local.run("producer", "raise SystemExit(1)")
    local.run("failed-only", "raise SystemExit(1)")
    local.push("private-one", "pass", user="anna")
    answer = local.push(
        "consumer",
        "import glob, os\nprint(sorted(glob.glob('../input/**', recursive=True)))\n"
        "print(open('../input/notebooks/me/producer/weights').read())",
        dataset_data_sources=["Anna/Rows", "anna/rows", "anna/none", "datasets/anna/rows", "rows", "../x/y"],
        competition_data_sources=["siim", "c/siim", "titanic"],
        kernel_data_sources=["me/producer", "me/failed-only", "me/none", "anna/private-one"],
        model_data_sources=["google/gemma/pytorch/2b"],
    )
    assert answer.error == ""
    assert answer.invalid_dataset_sources == ["anna/none", "datasets/anna/rows", "rows", "../x/y"]
    assert answer.invalid_competition_sources == ["c/siim", "titanic"]
    assert answer.invalid_kernel_sources == ["me/failed-only", "me/none", "anna/private-one"]
    assert answer.invalid_model_sources == ["google/gemma/pytorch/2b"]
    assert local.reach("consumer", "COMPLETE", "ERROR").status.name == "COMPLETE"
    listed = "".join(record["data"] for record in json.loads(local.output("consumer").log))
    assert "'../input/datasets/anna/rows/rows.csv'" in listed
    assert "'../input/competitions/siim/rows.csv'" in listed
    assert listed.endswith("w2\n")  # of the newest complete version


def test_there_are_no_interactive_sessions(local: Local) -> None:
    """CreateKernelSession answers with a failed operation and the reason; another user's kernel: 403."""
    local.run("edited", "pass")
    operation = local.api().create_kernel_session(fill(ApiCreateKernelSessionRequest(), slug="me/edited"))
    assert operation.done
    assert "no interactive sessions" in operation.error.message
    assert local.store.numbers(Reference("me", "edited")) == [1]
    with pytest.raises(requests.HTTPError, match="denied"):
        local.api("anna").create_kernel_session(fill(ApiCreateKernelSessionRequest(), slug="me/edited"))


def test_deleting_a_kernel_stops_its_sessions(local: Local) -> None:
    """DeleteKernel ends the session and removes the kernel; a new one with that name starts at version 1."""
    local.push("doomed", WAITS_FOR_GO)
    folder = local.store.paths(local.version("doomed")).kernel
    pid = local.pid("doomed")
    assert alive(pid)
    local.api().delete_kernel(fill(ApiDeleteKernelRequest(), user_name="me", kernel_slug="doomed"))
    assert not alive(pid)
    assert not folder.exists()
    with pytest.raises(requests.HTTPError) as error:
        local.status("doomed")
    assert http_code(error) == 403
    assert local.push("doomed", "pass").version_number == 1
    local.reach("doomed", "COMPLETE")


def test_only_the_owner_deletes(local: Local) -> None:
    """Another user who can see a public kernel can't delete it."""
    local.run("public-one", "pass", is_private=False)
    with pytest.raises(requests.HTTPError) as error:
        local.api("anna").delete_kernel(fill(ApiDeleteKernelRequest(), user_name="me", kernel_slug="public-one"))
    assert http_code(error) == 403
    assert local.state("public-one") == "COMPLETE"


def test_cancelling_a_session_by_its_id(local: Local) -> None:
    """Only the owner gets a session's id, with its state. The id serves to end the session and to read its log."""
    local.push("waits", WAITS_FOR_GO)
    body = {"userName": "me", "kernelSlug": "waits"}
    address = f"{local.url}/api/v1/kernels.KernelsApiService/GetKernelSessionStatus"
    number = requests.post(address, json=body, auth=local.me, timeout=30).json()["kernelSessionId"]
    request = fill(ApiCancelKernelSessionRequest(), kernel_session_id=number)
    assert "denied" in local.api("anna").cancel_kernel_session(request).error_message
    unknown = fill(ApiCancelKernelSessionRequest(), kernel_session_id=number + 1)
    assert "denied" in local.api().cancel_kernel_session(unknown).error_message
    assert local.status("waits").status.name in ("QUEUED", "RUNNING")
    assert local.api().cancel_kernel_session(request).error_message == ""
    local.reach("waits", "CANCEL_ACKNOWLEDGED")
    assert local.api().cancel_kernel_session(request).error_message == ""  # any number of times
    log = fill(ApiGetKernelSessionLogsStreamRequest(), kernel_session_id=number)
    assert isinstance(local.api().get_kernel_session_logs_stream(log).json(), list)
    with pytest.raises(requests.HTTPError) as error:
        local.api("anna").get_kernel_session_logs_stream(log)
    assert http_code(error) == 403
