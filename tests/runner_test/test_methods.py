"""The methods, one by one, called with Kaggle's own client over HTTP."""

import base64
import inspect
import io
import json
import re
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from kagglesdk.kernels.services.kernels_api_service import KernelsApiClient
from kagglesdk.kernels.types.kernels_api_service import (
    ApiCancelKernelSessionRequest,
    ApiCreateKernelSessionRequest,
    ApiDeleteKernelRequest,
    ApiDownloadKernelOutputRequest,
    ApiDownloadKernelOutputZipRequest,
    ApiGetKernelRequest,
    ApiGetKernelSessionLogsStreamRequest,
    ApiGetKernelSessionStatusRequest,
    ApiListKernelFilesRequest,
    ApiListKernelsRequest,
)
from kagglesdk.kernels.types.kernels_enums import KernelExecutionType, KernelsListSortType, KernelsListViewType
from kagglesdk.security.services.oauth_service import OAuthClient
from kagglesdk.security.types.oauth_service import IntrospectTokenRequest

from runner_test import rules
from runner_test.access import session_id
from runner_test.methods import METHODS
from runner_test.reference import Reference
from tests.runner_test.local import WAITS_FOR_GO, Local, alive, fill


def http_code(error: pytest.ExceptionInfo[requests.HTTPError]) -> int:
    """The status of the answer that the client raised for."""
    assert error.value.response is not None
    return error.value.response.status_code


def test_a_push_runs_and_completes(local: Local) -> None:
    """SaveKernel names the version, the address and the kernel; the session runs and its log and output come back."""
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


def test_get_kernel_gives_back_what_was_pushed(local: Local, tmp_path: Path) -> None:
    """GetKernel returns the source to the byte and the settings as Kaggle would run them."""
    local.store.add_dataset("anna/x-rays", tmp_path)
    source = "# naïve \r\n\tprint('tab')  \n\n" * 3
    local.push(
        "settings",
        source,
        dataset_data_sources=["anna/x-rays"],
        category_ids=["medicine"],
        machine_shape="NvidiaTeslaP100",
        enable_internet=False,
        docker_image="gcr.io/x",
    )
    answer = local.api().get_kernel(fill(ApiGetKernelRequest(), user_name="me", kernel_slug="settings"))
    assert answer.blob.source == source
    assert (answer.blob.slug, answer.blob.language, answer.blob.kernel_type) == ("settings", "python", "script")
    metadata = answer.metadata
    assert (metadata.ref, metadata.title, metadata.author, metadata.id) == ("me/settings", "settings", "me", 1)
    assert metadata.machine_shape == "NvidiaTeslaT4"
    assert (metadata.enable_gpu, metadata.enable_tpu, metadata.enable_internet) == (True, False, False)
    assert metadata.dataset_data_sources == ["anna/x-rays"]
    assert (metadata.category_ids, metadata.docker_image) == (["medicine"], "gcr.io/x")
    assert (metadata.is_private, metadata.current_version_number) == (True, 1)
    assert abs(metadata.last_run_time - datetime.now(UTC).replace(tzinfo=None)) < timedelta(minutes=5)


def test_a_version_label_pins_the_version(local: Local) -> None:
    """Status, source, files, output and log of v1 stay v1's after v2 was pushed; without a label they are v2's."""
    local.run("pinned", "print('one')\nopen('one', 'w').close()")
    local.run("pinned", "print('two')\nopen('two', 'w').close()\nraise SystemExit(3)")
    api = local.api()
    for label, state, word in (("v1", "COMPLETE", "one"), ("v2", "ERROR", "two"), (None, "ERROR", "two")):
        named = {"user_name": "me", "kernel_slug": "pinned", "version_label": label}
        assert local.state("pinned", label) == state
        assert f"print('{word}')" in api.get_kernel(fill(ApiGetKernelRequest(), **named)).blob.source
        assert [file.file_name for file in local.output("pinned", version_label=label).files] == [word]
        records = json.loads(local.output("pinned", version_label=label).log)
        assert "".join(record["data"] for record in records) == f"{word}\n"
        files = api.list_kernel_files(fill(ApiListKernelFilesRequest(), **named)).files
        assert [(file.name, file.size) for file in files] == [(word, 0)]
        log = api.get_kernel_session_logs_stream(fill(ApiGetKernelSessionLogsStreamRequest(), **named))
        assert log.headers["Content-Type"] == "application/json"
        assert "".join(record["data"] for record in log.json()) == f"{word}\n"
    # `kaggle kernels pull me/pinned/1` puts the version behind the slug.
    request = fill(ApiGetKernelRequest(), user_name="me", kernel_slug="pinned/1")
    assert "one" in api.get_kernel(request).blob.source


def test_a_version_that_does_not_exist(local: Local) -> None:
    """An unknown version is 404 and a label that is none is 400, never another version's answer."""
    local.push("pinned", "pass")
    for label, code in [("v9", 404), ("v0", 404), ("newest", 400), ("v1/../2", 400)]:
        with pytest.raises(requests.HTTPError) as error:
            local.status("pinned", label)
        assert http_code(error) == code, label


def list_kernels(local: Local, caller: str = "me", **fields: object) -> tuple[list[str], str]:
    """The references that ListKernels gives, and the next page's token."""
    answer = local.api(caller).list_kernels(fill(ApiListKernelsRequest(), **fields))
    return [kernel.ref for kernel in answer.kernels], answer.next_page_token


def test_list_kernels(local: Local) -> None:
    """Mine, a user's, a search's, a page's: newest run first, and never a stranger's private kernels."""
    local.push("alpha", "pass")
    local.push("beta-net", "pass", is_private=False)
    local.push("gamma-net", "pass", user="anna")
    local.push("alpha", "pass")
    profile = KernelsListViewType.PROFILE
    assert list_kernels(local, group=profile) == (["me/alpha", "me/beta-net"], "")
    assert list_kernels(local, group=profile, sort_by=KernelsListSortType.DATE_CREATED)[0] == [
        "me/beta-net",
        "me/alpha",
    ]
    assert list_kernels(local, "anna", group=profile)[0] == ["anna/gamma-net"]
    assert list_kernels(local, "anna", user="me")[0] == ["me/beta-net"]
    assert list_kernels(local, "anna", search="NET")[0] == ["anna/gamma-net", "me/beta-net"]
    assert list_kernels(local, group=KernelsListViewType.UPVOTED)[0] == []
    assert list_kernels(local, group=profile, dataset="a/b")[0] == []
    first, token = list_kernels(local, group=profile, page_size=1)
    second, end = list_kernels(local, group=profile, page_size=1, page_token=token)
    assert (first, second, end) == (["me/alpha"], ["me/beta-net"], "")
    assert list_kernels(local, group=profile, page_size=1, page=2)[0] == ["me/beta-net"]


def test_output_comes_in_pages(local: Local) -> None:
    """Twenty files a page by default, sorted, in folders too; the tokens lead to every file once."""
    local.run(
        "many-files",
        "import os\nos.mkdir('sub')\n"
        "for i in range(44): open(f'f{i:02}', 'w').write('x' * i)\n"
        "open('sub/deep', 'w').write('d')",
    )
    names, token, pages = [], "", 0
    while pages == 0 or token:
        page = local.output("many-files", page_token=token)
        names += [file.file_name for file in page.files]
        token, pages = page.next_page_token, pages + 1
    assert names == [f"f{i:02}" for i in range(44)] + ["sub/deep"]
    assert pages == 3
    files = local.api().list_kernel_files(
        fill(ApiListKernelFilesRequest(), user_name="me", kernel_slug="many-files", page_size=5, page_token="40")
    )
    assert [(file.name, file.size) for file in files.files] == [
        *((f"f{i}", i) for i in (40, 41, 42, 43)),
        ("sub/deep", 1),
    ]
    assert datetime.fromisoformat(files.files[0].creation_date) < datetime.now(UTC)
    with pytest.raises(requests.HTTPError) as error:
        local.output("many-files", page_token="last")
    assert http_code(error) == 400


def test_a_running_session_has_no_output_yet(local: Local) -> None:
    """As on Kaggle, files and log are there after the end and not before: half-written files are never served."""
    local.push("running", WAITS_FOR_GO)
    local.reach("running", "RUNNING")
    assert alive(local.pid("running"))
    output = local.output("running")
    assert (list(output.files), output.log) == ([], "")
    local.go("running")
    local.reach("running", "COMPLETE")
    assert json.loads(local.output("running").log)[0]["data"].startswith("ready")
    assert [file.file_name for file in local.output("running").files] == ["go"]


def test_download_kernel_output(local: Local) -> None:
    """DownloadKernelOutput leads to the file, or without a name to an archive of all; an unknown name is 404."""
    source = "import os; os.mkdir('sub'); open('sub/a?b #c', 'w').write('d')\n"
    local.run("download", source + "open('weights.bin', 'wb').write(bytes(range(256)))")
    api = local.api()
    named = {"owner_slug": "me", "kernel_slug": "download"}
    request = fill(ApiDownloadKernelOutputRequest(), **named, file_path="weights.bin", version_number=1)
    assert api.download_kernel_output(request).content == bytes(range(256))
    odd = fill(ApiDownloadKernelOutputRequest(), **named, file_path="sub/a?b #c")
    assert api.download_kernel_output(odd).text == "d"
    with pytest.raises(requests.HTTPError) as error:
        api.download_kernel_output(fill(ApiDownloadKernelOutputRequest(), **named, file_path="../../source.py"))
    assert http_code(error) == 404
    kernel = local.store.kernel(Reference("me", "download"))
    assert kernel is not None
    number = session_id(kernel, local.version("download"))
    by_session = fill(ApiDownloadKernelOutputZipRequest(), kernel_session_id=number)
    for answer in (
        api.download_kernel_output(fill(ApiDownloadKernelOutputRequest(), **named)),
        api.download_kernel_output_zip(by_session),
    ):
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            assert archive.namelist() == ["sub/a?b #c", "weights.bin"]
            assert archive.read("weights.bin") == bytes(range(256))
    with pytest.raises(requests.HTTPError, match="denied"):
        local.api("anna").download_kernel_output_zip(by_session)


def test_there_are_no_interactive_sessions(local: Local) -> None:
    """CreateKernelSession answers with an operation that has failed and says why; a stranger's kernel is 403."""
    local.run("edited", "pass")
    operation = local.api().create_kernel_session(fill(ApiCreateKernelSessionRequest(), slug="me/edited"))
    assert operation.done
    assert "no interactive sessions" in operation.error.message
    assert local.store.numbers(Reference("me", "edited")) == [1]
    with pytest.raises(requests.HTTPError, match="denied"):
        local.api("anna").create_kernel_session(fill(ApiCreateKernelSessionRequest(), slug="me/edited"))


def test_deleting_a_kernel_stops_its_sessions(local: Local) -> None:
    """DeleteKernel ends what runs, forgets the kernel and its files, and a new one of that name starts at version 1."""
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
    """A stranger who can see a public kernel still can't delete it."""
    local.run("public-one", "pass", is_private=False)
    with pytest.raises(requests.HTTPError) as error:
        local.api("anna").delete_kernel(fill(ApiDeleteKernelRequest(), user_name="me", kernel_slug="public-one"))
    assert http_code(error) == 403
    assert local.state("public-one") == "COMPLETE"


def test_quota(local: Local) -> None:
    """30 GPU hours survive the wire, and a session with a GPU is counted in whole seconds, to its owner alone."""
    quota = local.api().get_accelerator_quota_statistics()
    assert quota.gpu_quota.total_time_allowed == timedelta(hours=30)
    assert quota.tpu_quota.total_time_allowed == timedelta(hours=20)
    assert quota.gpu_quota.time_used == timedelta(0)
    assert not quota.gpu_quota.has_ever_run
    now = datetime.now(UTC).replace(tzinfo=None)
    assert now < quota.quota_refresh_time <= now + timedelta(days=7)
    assert quota.quota_refresh_time.weekday() == 5
    local.run("on-gpu", "import time; time.sleep(1.2)", enable_gpu=True)
    local.run("on-cpu", "pass")
    quota = local.api().get_accelerator_quota_statistics()
    assert timedelta(seconds=1) <= quota.gpu_quota.time_used <= timedelta(seconds=10)
    assert quota.gpu_quota.has_ever_run
    assert quota.tpu_quota.time_used == timedelta(0)
    assert local.api("anna").get_accelerator_quota_statistics().gpu_quota.time_used == timedelta(0)


def test_cancelling_a_session_by_its_number(local: Local) -> None:
    """The local Kaggle tells its owner the number with the state, and nobody else; another's number is refused."""
    local.push("waits", WAITS_FOR_GO)
    body = {"userName": "me", "kernelSlug": "waits"}
    headers = {"Authorization": "Basic " + base64.b64encode(b"me:key").decode()}
    address = f"{local.url}/api/v1/kernels.KernelsApiService/GetKernelSessionStatus"
    number = requests.post(address, json=body, headers=headers, timeout=30).json()["kernelSessionId"]
    request = fill(ApiCancelKernelSessionRequest(), kernel_session_id=number)
    assert "denied" in local.api("anna").cancel_kernel_session(request).error_message
    unknown = fill(ApiCancelKernelSessionRequest(), kernel_session_id=number + 1)
    assert "denied" in local.api().cancel_kernel_session(unknown).error_message
    assert local.status("waits").status.name in ("QUEUED", "RUNNING")
    assert local.api().cancel_kernel_session(request).error_message == ""
    local.reach("waits", "CANCEL_ACKNOWLEDGED")
    assert local.api().cancel_kernel_session(request).error_message == ""  # as often as one likes


def test_any_access_token_is_somebody(local: Local) -> None:
    """A token's user is the server's own setting, for the introspection as for a push."""
    request = fill(IntrospectTokenRequest(), token="KGAT_x")
    answer = OAuthClient(local.http(token="KGAT_x")).introspect_token(request)
    assert (answer.active, answer.username) == (True, "local")
    assert local.push("by-name", "pass", user="local").error == ""
    status = fill(ApiGetKernelSessionStatusRequest(), user_name="local", kernel_slug="by-name")
    assert local.api(token="KGAT_x").get_kernel_session_status(status).status.name in ("QUEUED", "RUNNING", "COMPLETE")


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
        ({"machine_shape": "Abacus"}, "no machine shape 'Abacus'"),
        ({"kernel_execution_type": KernelExecutionType.QUICK_SAVE}, "runs what it saves"),
    ],
)
def test_a_push_that_breaks_a_rule(refusing: Local, fields: dict[str, Any], message: str) -> None:
    """The answer's `error` says what is wrong, with HTTP status 200, and nothing is saved."""
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
    """Other people's names, hostile names and sources over 1 MiB are HTTP errors, and nothing is saved."""
    with pytest.raises(requests.HTTPError) as error:
        refusing.push("a-kernel", fields.pop("text", "pass"), **fields)
    assert http_code(error) == code
    assert refusing.store.kernels() == []
    assert not (refusing.store.root / "kernels").exists()


def test_the_largest_source_is_accepted(local: Local) -> None:
    """1 MiB to the byte goes through, counted in bytes of UTF-8 and not in characters."""
    source = "#" + "é" * (rules.MAX_SOURCE // 2 - 1) + "\n"
    assert len(source.encode()) == rules.MAX_SOURCE
    assert local.run("big-source", source).status.name == "COMPLETE"


def test_a_new_kernels_slug_comes_from_its_title(local: Local) -> None:
    """Kaggle goes by the title: the slug that was asked for doesn't exist afterwards, and calls with it answer 403."""
    answer = local.push("asked-for", "pass", new_title="Something Else 0.5")
    assert answer.ref == "me/something-else-0-5"
    with pytest.raises(requests.HTTPError) as error:
        local.status("asked-for")
    assert http_code(error) == 403
    assert local.reach("something-else-0-5", "COMPLETE")
    # An existing kernel keeps its slug and takes the title.
    again = local.push("something-else-0-5", "pass", new_title="New title")
    assert (again.ref, again.version_number) == ("me/something-else-0-5", 2)
    # A title whose slug is another kernel's makes no version of that one.
    assert "already in use by me/something-else-0-5" in local.push("x-y", "pass", new_title="Something else 0.5").error
    # A kernel's number wins over its name.
    by_id = local.push("ignored-name", "pass", id=answer.kernel_id)
    assert (by_id.ref, by_id.version_number) == ("me/something-else-0-5", 3)


def test_refused_sources_are_named_and_the_rest_is_mounted(local: Local, tmp_path: Path) -> None:
    """Unknown, prefixed and malformed sources come back by kind; the session still runs, with what is known, once."""
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
    assert listed.endswith("w2\n")  # the newest version that is complete


def test_private_kernels_are_their_owners_alone(local: Local) -> None:
    """A stranger gets the same 403 for a private kernel as for one that doesn't exist, until it is made public."""
    local.run("secret-net", "pass")
    requests_of_a_stranger = [
        ("get_kernel_session_status", ApiGetKernelSessionStatusRequest),
        ("get_kernel", ApiGetKernelRequest),
        ("list_kernel_files", ApiListKernelFilesRequest),
        ("get_kernel_session_logs_stream", ApiGetKernelSessionLogsStreamRequest),
    ]
    for slug in ("secret-net", "no-such-net", "..", "a/b"):
        for method, kind in requests_of_a_stranger:
            with pytest.raises(requests.HTTPError, match=r"Permission 'kernels.get' was denied") as error:
                getattr(local.api("anna"), method)(fill(kind(), user_name="me", kernel_slug=slug))
            assert http_code(error) == 403
    local.push("secret-net", "pass", is_private=False)
    assert local.api("anna").get_kernel(fill(ApiGetKernelRequest(), user_name="me", kernel_slug="secret-net"))


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
    """Retired shapes are replaced as Kaggle replaces them, and the old flags count where no shape is named."""
    assert rules.given_shape(asked, enable_gpu=flags[0], enable_tpu=flags[1]) == given


def test_session_limits() -> None:
    """Twelve hours, nine on a TPU; a shorter limit is kept and a longer one cut."""
    assert rules.session_limit("", None) == 12 * 3600
    assert rules.session_limit("TpuV5E8", None) == 9 * 3600
    assert rules.session_limit("NvidiaTeslaT4", 60) == 60
    assert rules.session_limit("NvidiaTeslaT4", 10**6) == 12 * 3600
    assert rules.session_limit("", -5) == 12 * 3600


def test_every_method_of_the_clients_is_there() -> None:
    """What kagglesdk's client for kernels can ask is answered, and what submitting to a competition takes."""
    source = inspect.getsource(KernelsApiClient)
    asked = set(re.findall(r'"(kernels\.KernelsApiService)", "(\w+)"', source))
    assert len(asked) == 13
    assert {f"{service}/{name}" for service, name in asked} <= METHODS.keys()
