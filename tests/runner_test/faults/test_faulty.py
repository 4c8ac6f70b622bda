"""Each kind of fault happens when it is planned, as it is planned."""

import asyncio
import dataclasses
import json
import threading
from collections.abc import Callable

import pytest
import requests
from starlette.types import Message

from runner_test.faults import Fault, Kind, faulty
from runner_test.state import Reference
from runner_test.state.uploads import BLOCK
from tests.runner_test.faults.planned import Planned
from tests.runner_test.local import eventually
from tests.runner_test.sending import add, announce, create, dataset, put, send


def failing(call: Callable[[], requests.Response]) -> str:
    """The class of error that a request ends with."""
    with pytest.raises(requests.RequestException) as error:
        assert call().content
    return type(error.value).__name__


def test_the_planned_call_fails_and_no_other(planned: Planned) -> None:
    """The second and third call fail, the first and fourth don't, and another method does not fail."""
    planned.faults.plan([Fault("ListKernels", Kind.STATUS, call=2, times=2, status=429, retry_after=7)])
    answers = [planned.ask("ListKernels") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 429, 429, 200]
    assert answers[1].headers["Retry-After"] == "7"
    assert answers[1].json() == {"code": 429, "message": "planned"}
    assert planned.ask("GetKernel").status_code == 200
    assert planned.faults.calls == {"ListKernels": 4, "GetKernel": 1, "*": 5}


@pytest.mark.parametrize(
    ("kind", "error"), [(Kind.RESET, "ConnectionError"), (Kind.TIMEOUT, "ReadTimeout"), (Kind.STATUS, "HTTPError")]
)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_fault_before_or_after_the_effect(planned: Planned, kind: Kind, error: str, when: str) -> None:
    """The client sees the same error, whether the version was saved or not."""
    planned.faults.plan([Fault("SaveKernel", kind, when=when)])
    store = planned.local.store
    before = store.numbers(Reference("me", "shared"))
    client = dataclasses.replace(planned, patience=0.5) if kind is Kind.TIMEOUT else planned

    def push() -> requests.Response:
        fields = {"slug": "me/shared", "newTitle": "shared", "text": "pass", "language": "python"}
        answer = client.ask("SaveKernel", **fields, kernelType="script")
        answer.raise_for_status()
        return answer

    assert failing(push) == error
    made = [number for number in store.numbers(Reference("me", "shared")) if number not in before]
    assert len(made) == (when == "after")
    if made:
        version = store.version(Reference("me", "shared"), made[0])
        assert version is not None
        eventually(lambda: store.progress(version).state.final, "the session ends")


def test_a_server_that_dies_and_comes_back(planned: Planned) -> None:
    """The connection breaks, new ones are refused, and after a while the same address answers again."""
    planned.faults.plan([Fault("ListKernels", Kind.DOWN, seconds=0.3)])
    assert failing(lambda: planned.ask("ListKernels")) == "ConnectionError"
    with pytest.raises(requests.ConnectionError, match="refused"):
        planned.ask("ListKernels")

    def answers() -> bool:
        try:
            return planned.ask("ListKernels").ok
        except requests.ConnectionError:
            return False

    eventually(answers, "it comes back", 10)


def test_answers_that_are_not_json(planned: Planned) -> None:
    """An HTML page, half an answer, and bytes that are not text: each with status 200, complete, and not JSON."""
    kinds = (Kind.HTML, Kind.CUT, Kind.GARBLED)
    planned.faults.plan([Fault("ListKernels", kind, call=call) for call, kind in enumerate(kinds, start=1)])
    for kind in ("html", "json", "json"):
        answer = planned.ask("ListKernels")
        assert (answer.status_code, kind in answer.headers["Content-Type"]) == (200, True)
        with pytest.raises(ValueError, match=r"Expecting|codec|Unterminated|Extra|delimiter"):
            answer.json()


def test_a_slow_answer_is_whole(planned: Planned) -> None:
    """It arrives in small pieces, as a whole later than the time-out of one read."""
    planned.faults.plan([Fault("ListKernelSessionOutput", Kind.SLOW, seconds=0.6)])
    answer = planned.ask("ListKernelSessionOutput", versionLabel="v2")
    assert [file["fileName"] for file in answer.json()["files"]] == ["a", "b", "c"]
    assert answer.elapsed.total_seconds() < 0.6  # until the headers; the time-out of 0.5 s applies to each read


def test_a_slow_answer_takes_its_time_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes the given time in total, in however many parts; a stream without a length takes it for each part."""
    waited: list[float] = []
    sent: list[Message] = []

    here, really_sleep = threading.get_ident(), asyncio.sleep

    async def sleep(seconds: float) -> None:
        if threading.get_ident() != here:  # a server of another test, in a thread of its own, also sleeps
            await really_sleep(seconds)
        else:
            waited.append(seconds)

    async def send(message: Message) -> None:
        sent.append(message)

    async def answer(headers: list[tuple[bytes, bytes]]) -> None:
        send_slowly = faulty.slowly(send, 2.0)
        await send_slowly({"type": "http.response.start", "status": 200, "headers": headers})
        for piece in range(4):
            await send_slowly({"type": "http.response.body", "body": bytes(25_000), "more_body": piece < 3})

    monkeypatch.setattr(asyncio, "sleep", sleep)
    for headers, seconds in (([(b"content-length", b"100000")], 2.0), ([], 8.0)):
        waited.clear()
        sent.clear()
        asyncio.run(answer(headers))
        assert sum(waited) == pytest.approx(seconds)
        assert sum(len(message.get("body", b"")) for message in sent) == 100_000
        assert [message["more_body"] for message in sent[1:]] == [True] * (len(sent) - 2) + [False]


def test_values_of_other_types(planned: Planned) -> None:
    """The names stay and the values have unexpected types; or the answer is empty."""
    method = "GetKernelSessionStatus"
    planned.faults.plan([Fault(method, Kind.TYPES), Fault(method, Kind.EMPTY, call=2)])
    assert planned.ask(method, versionLabel="v2").json()["status"] == ["a", 1]
    assert planned.ask(method, versionLabel="v2").json() == {}


def test_states_that_are_not_true(planned: Planned) -> None:
    """The state of the previous version, and RUNNING in every answer."""
    method = "GetKernelSessionStatus"
    planned.faults.plan([Fault(method, Kind.STALE, times=2), Fault(method, Kind.RUNNING, call=3, times=None)])
    assert planned.ask(method, versionLabel="v2").json()["status"] == "ERROR"
    assert planned.ask(method, versionLabel="v2").json()["status"] == "ERROR"
    assert [planned.ask(method, versionLabel=f"v{n}").json()["status"] for n in (1, 2, 1)] == ["RUNNING"] * 3


def test_pages_that_do_not_end(planned: Planned) -> None:
    """A token that repeats, and tokens that are always new, each of them with the first page."""
    method = "ListKernelSessionOutput"
    fields = {"versionLabel": "v2", "pageSize": 2}
    planned.faults.plan(
        [Fault(method, Kind.REPEATED_TOKEN, times=2), Fault(method, Kind.ENDLESS_PAGES, call=3, times=None)]
    )
    pages = [planned.ask(method, **fields, pageToken=token).json() for token in ("", "0", "2", "77")]
    assert [page["nextPageToken"] for page in pages[:2]] == ["0", "0"]
    assert pages[2]["nextPageToken"] != pages[3]["nextPageToken"]
    assert [[file["fileName"] for file in page["files"]] for page in pages] == [["a", "b"]] * 4


def test_downloads_that_fail(planned: Planned) -> None:
    """A listing with expired addresses, an address that is refused as expired, and a file that arrives by half."""
    planned.faults.plan(
        [
            Fault("ListKernelSessionOutput", Kind.EXPIRED),
            Fault("Download", Kind.EXPIRED, call=2),
            Fault("Download", Kind.TRUNCATED, call=3),
        ]
    )
    old = planned.ask("ListKernelSessionOutput", versionLabel="v2").json()["files"][0]["url"]
    new = planned.ask("ListKernelSessionOutput", versionLabel="v2").json()["files"][0]["url"]
    for url in (old, new):
        answer = requests.get(url, timeout=5)
        assert (answer.status_code, "has expired" in answer.json()["message"]) == (403, True)
    with requests.get(new, timeout=5, stream=True) as half:
        assert half.headers["Content-Length"] == "200000"
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            assert half.content
    assert requests.get(new, timeout=5).text == "a" * 200000


def test_an_upload_that_breaks_off(planned: Planned) -> None:
    """Half of a file arrives before the connection breaks, and the rest can follow; a lost answer loses nothing."""
    data = bytes(4 * BLOCK)
    upload = announce(planned.local, "a.bin", len(data))
    planned.faults.plan([Fault("Upload", Kind.HALF_SENT), Fault("Upload", Kind.RESET, call=3, when="after")])
    with pytest.raises(requests.ConnectionError):
        put(upload.create_url, data)
    asked = put(upload.create_url, b"", Content_Range=f"bytes */{len(data)}")
    begin = int(asked.headers["Range"].removeprefix("bytes=0-")) + 1
    assert 0 < begin <= 2 * BLOCK
    with pytest.raises(requests.ConnectionError):
        put(upload.create_url, data[begin:], Content_Range=f"bytes {begin}-{len(data) - 1}/{len(data)}")
    assert put(upload.create_url, b"", Content_Range=f"bytes */{len(data)}").status_code == 200


def test_a_data_set_whose_answer_is_lost(planned: Planned) -> None:
    """It is made all the same, and the same request once more makes nothing: its files have been used."""
    file = send(planned.local, "a.txt")
    planned.faults.plan([Fault("CreateDataset", Kind.RESET, when="after")])
    with pytest.raises(requests.ConnectionError):
        create(planned.local, "my-rows", file)
    assert "already in use" in create(planned.local, "my-rows", file).error
    assert "used already" in add(planned.local, "my-rows", file).error
    assert len(dataset(planned.local, "my-rows").versions) == 1


def test_states_of_data_sets_that_are_not_true(planned: Planned) -> None:
    """A data set seems to be processed for ever; the state of the version before is taken for the new one's."""
    method, named = "datasets.DatasetApiService/GetDatasetStatus", {"ownerSlug": "me", "datasetSlug": "new-rows"}
    create(planned.local, "new-rows", send(planned.local, "a.txt"))
    record = planned.local.store.root / "datasets" / "me" / "new-rows" / "versions" / "1" / "version.json"
    planned.faults.plan([Fault("GetDatasetStatus", Kind.STALE), Fault("GetDatasetStatus", Kind.RUNNING, call=3)])
    for ready, seen in [(1e11, "READY"), (1e11, "BLOBS_RECEIVED"), (0.0, "BLOBS_RECEIVED"), (0.0, "READY")]:
        record.write_text(json.dumps(json.loads(record.read_text()) | {"ready": ready}))
        assert planned.ask(method, **named).json() == {"status": seen}


def test_an_empty_log(planned: Planned) -> None:
    """The output and the stream both give an empty log."""
    planned.faults.plan(
        [Fault("ListKernelSessionOutput", Kind.EMPTY_LOG), Fault("GetKernelSessionLogsStream", Kind.EMPTY_LOG)]
    )
    assert planned.ask("ListKernelSessionOutput", versionLabel="v2").json()["log"] == ""
    live = requests.get(f"{planned.local.url}/api/v1/kernels/logs/stream/me/shared", auth=planned.local.me, timeout=5)
    assert live.text == "data: END_OF_LOG\n\n"


def test_through_a_proxys_target(planned: Planned) -> None:
    """Requests to a proxy have whole addresses; they are counted and fail like others."""
    planned.faults.plan([Fault("ListKernels", Kind.STATUS, status=502)])
    url = "http://localhost/api/v1/kernels.KernelsApiService/ListKernels"
    answer = requests.post(url, json={}, auth=planned.local.me, timeout=5, proxies={"http": planned.local.url})
    assert answer.status_code == 502
