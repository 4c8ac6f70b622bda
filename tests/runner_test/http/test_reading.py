"""The methods that only read: kernels, versions, outputs and logs, called with Kaggle's own client over HTTP."""

import io
import json
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from kagglesdk.kernels.types.kernels_api_service import (
    ApiDownloadKernelOutputRequest,
    ApiDownloadKernelOutputZipRequest,
    ApiGetKernelRequest,
    ApiGetKernelSessionLogsStreamRequest,
    ApiGetKernelSessionStatusRequest,
    ApiListKernelFilesRequest,
    ApiListKernelsRequest,
)
from kagglesdk.kernels.types.kernels_enums import KernelsListSortType, KernelsListViewType

from runner_test.http.access import session_id
from runner_test.state import Reference
from tests.runner_test.contest import Contest
from tests.runner_test.local import WAITS_FOR_GO, Local, alive, fill, http_code


def test_get_kernel_gives_back_what_was_pushed(local: Local, tmp_path: Path) -> None:
    """GetKernel returns the source byte for byte and the settings as Kaggle would apply them."""
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
    # A version in the slug is refused, as on Kaggle.
    request = fill(ApiGetKernelRequest(), user_name="me", kernel_slug="pinned/1")
    with pytest.raises(requests.HTTPError) as error:
        api.get_kernel(request)
    assert http_code(error) == 403


def test_a_version_that_does_not_exist(local: Local) -> None:
    """An unknown version is answered with 404 and an invalid label with 400, never with another version."""
    local.push("pinned", "pass")
    for label, code in [("v9", 404), ("v0", 404), ("1", 404), ("newest", 400), ("v1/../2", 400)]:
        with pytest.raises(requests.HTTPError) as error:
            local.status("pinned", label)
        assert http_code(error) == code, label


def list_kernels(local: Local, caller: str = "me", **fields: object) -> tuple[list[str], str]:
    """The references that ListKernels gives, and the next page's token."""
    answer = local.api(caller).list_kernels(fill(ApiListKernelsRequest(), **fields))
    return [kernel.ref for kernel in answer.kernels], answer.next_page_token


def test_list_kernels(local: Local) -> None:
    """By owner, user, search and page: latest version first, and never other users' private kernels."""
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


def test_filters_and_orders_of_the_list(contest: Contest) -> None:
    """By language, type, output, words, sources and scores; what nothing here has is an empty list, not an error."""
    local = contest.local
    local.store.add_dataset("ada/rows", contest.folder / "data")
    local.run("net-one", "open('a.csv', 'w').close()", dataset_data_sources=["ada/rows"])
    local.run("net-one-more", "open('a.png', 'w').close()", competition_data_sources=["parity"])
    local.run("third", "pass")
    every = ["me/third", "me/net-one-more", "me/net-one"]

    def listed(**fields: Any) -> list[str]:
        return list_kernels(local, **fields)[0]

    cases: list[tuple[dict[str, Any], list[str]]] = [
        ({"language": "all", "kernel_type": "all", "output_type": "all"}, every),
        ({"language": "python", "kernel_type": "script"}, every),
        ({"language": "julia"}, []),
        ({"kernel_type": "notebook"}, []),
        ({"output_type": "data"}, every[1:]),
        ({"output_type": "visualization"}, ["me/net-one-more"]),
        ({"search": "one NET"}, every[1:]),
        ({"search": "net one", "sort_by": KernelsListSortType.RELEVANCE}, ["me/net-one", "me/net-one-more"]),
        ({"dataset": "Ada/Rows"}, ["me/net-one"]),
        ({"competition": "Parity"}, ["me/net-one-more"]),
        ({"parent_kernel": "me/third"}, []),
        ({"page_size": 200}, every),
        ({"page_size": 2, "page": 2}, every[2:]),
    ]
    for fields, expected in cases:
        assert listed(**fields) == expected, fields
    for fields in ({"language": "cobol"}, {"kernel_type": "poem"}, {"output_type": "smoke"}):
        with pytest.raises(requests.HTTPError, match="is none of all, "):
            listed(**fields)

    for slug, score in (("third", 1.0), ("net-one", 0.5), ("third", 0.25)):
        contest.record("me", score, kernel=f"me/{slug}/1")
    scored: dict[str, Any] = {"sort_by": KernelsListSortType.SCORE_DESCENDING}
    assert listed(**scored) == ["me/third", "me/net-one", "me/net-one-more"]
    assert listed(competition="siim", **scored) == []
    assert listed(sort_by=KernelsListSortType.SCORE_ASCENDING) == ["me/net-one", "me/third", "me/net-one-more"]


def test_output_comes_in_pages(local: Local) -> None:
    """Twenty files a page by default, sorted, also those in folders; the tokens lead to every file once."""
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
    """As on Kaggle, files and log are served only after the session's end, so no half-written file is served."""
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
    """DownloadKernelOutput leads to a file, or without a name to an archive of all; an unknown name gets a 404."""
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


def test_only_the_owner_sees_private_kernels(local: Local) -> None:
    """Another user gets the same 403 for a private kernel as for one that doesn't exist, until it is made public."""
    local.run("secret-net", "pass")
    requests_of_another_user = [
        ("get_kernel_session_status", ApiGetKernelSessionStatusRequest),
        ("get_kernel", ApiGetKernelRequest),
        ("list_kernel_files", ApiListKernelFilesRequest),
        ("get_kernel_session_logs_stream", ApiGetKernelSessionLogsStreamRequest),
    ]
    for slug in ("secret-net", "no-such-net", "..", "a/b"):
        for method, kind in requests_of_another_user:
            with pytest.raises(requests.HTTPError, match=r"Permission 'kernels.get' was denied") as error:
                getattr(local.api("anna"), method)(fill(kind(), user_name="me", kernel_slug=slug))
            assert http_code(error) == 403
    local.push("secret-net", "pass", is_private=False)
    assert local.api("anna").get_kernel(fill(ApiGetKernelRequest(), user_name="me", kernel_slug="secret-net"))
