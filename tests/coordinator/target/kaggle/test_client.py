"""The client of Kaggle: which calls it repeats, how long it waits, and the error for each failure."""

from __future__ import annotations

import contextlib
import email.utils
import json
import re
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import urllib3
from kagglesdk.kernels.services.kernels_api_service import KernelsApiClient

from benchmarks import client_tables
from coordinator.clock import Clock
from coordinator.errors import (
    CoordError,
    CredentialsError,
    Expired,
    Later,
    NoAccess,
    NoAnswer,
    NoSlot,
    NotSent,
    TargetError,
)
from coordinator.kernel.metadata import KernelMetadata
from coordinator.target.kaggle import Kaggle, policy
from coordinator.target.kaggle.connections import Adapter
from coordinator.target.kaggle.error_table import ERROR_TABLE, explain, row_of
from coordinator.target.kaggle.policy import Failed, Failure, Kind
from coordinator.target.kaggle.transport import as_failed
from coordinator.target.protocol import KernelRef, OutputFile, RunState
from tests.coordinator.scripted import CREDENTIALS, Answer, Scripted, Time, cut, html, ok, raw, reset, said, scripted
from tests.paths import ROOT

REF = KernelRef("ada", "tiny-base", 3)
RUNNING = ok(status="RUNNING")
SAVED = ok(versionNumber=4, url="https://www.kaggle.com/code/ada/tiny-base")
STATUS = "GetKernelSessionStatus"
GARBLED = raw(200, b'{"status": "RUNN')

# Temporary failures, and the errors in the end: (name, answer, error of a read, error of a push, message)
PASSING: list[tuple[str, Answer, type[CoordError], type[CoordError], str]] = [
    ("408", said(408), NoAnswer, NoAnswer, "failed with HTTP 408: planned"),
    ("429", said(429), Later, Later, "asks to slow down: planned"),
    ("500", said(500), NoAnswer, NoAnswer, "failed with HTTP 500: planned"),
    ("502", html(502), NoAnswer, NoAnswer, "failed with HTTP 502: a web page"),
    ("503", said(503), NoAnswer, NoAnswer, "failed with HTTP 503: planned"),
    ("504", said(504), NoAnswer, NoAnswer, "failed with HTTP 504: planned"),
    ("a 503 in the answer", ok(code=503, message="planned"), NoAnswer, NoAnswer, "failed with HTTP 503: planned"),
    ("a web page", html(), Later, NoAnswer, "answered with a web page where JSON was expected"),
    ("cut", cut, NoAnswer, NoAnswer, "answer was cut off, or is not JSON"),
    ("garbled", GARBLED, NoAnswer, NoAnswer, "answer was cut off, or is not JSON"),
    ("reset", reset, NoAnswer, NoAnswer, "was lost before the answer"),
]
NAMES = [name for name, *_ in PASSING]


@pytest.fixture
def server() -> Iterator[Scripted]:
    with scripted() as server:
        yield server


@pytest.fixture
def metadata() -> KernelMetadata:
    given = {"title": "tiny base", "language": "python", "kernel_type": "script", "enable_internet": False}
    return KernelMetadata(text="", data={"id": "ada/tiny-base", "is_private": True, **given})


def push(kaggle: Kaggle, metadata: KernelMetadata) -> Any:
    return kaggle.push(metadata, "print()\n", timeout_seconds=None)


@pytest.mark.parametrize(("name", "answer", "for_read", "for_push", "message"), PASSING, ids=NAMES)
def test_a_read_is_repeated_and_a_push_is_not(
    server: Scripted,
    metadata: KernelMetadata,
    name: str,
    answer: Answer,
    for_read: type[CoordError],
    for_push: type[CoordError],
    message: str,
) -> None:
    """A read that fails is repeated, with five tries at most; a push is sent once, whatever its answer is."""
    time = Time()
    server.script[STATUS] = [answer, RUNNING]
    assert server.kaggle(time).state(REF).state is RunState.RUNNING
    assert time.waits == [0.5]

    time = Time()
    server.script[STATUS] = [answer]
    with pytest.raises(for_read) as caught:
        server.kaggle(time).state(REF)
    assert type(caught.value) is for_read
    assert message in caught.value.what
    assert caught.value.hint
    assert time.waits == [0.5, 1.0, 2.0, 4.0]
    assert server.seen.count(STATUS) == 2 + 5

    time = Time()
    server.script["SaveKernel"] = [answer]
    with pytest.raises(for_push) as caught:
        push(server.kaggle(time), metadata)
    assert type(caught.value) is for_push
    assert message in caught.value.what
    assert (server.seen.count("SaveKernel"), time.waits) == (1, [])


def test_waits_are_jittered(server: Scripted) -> None:
    """By up to a half, so that processes that failed together do not try again together."""
    time = Time()
    server.script[STATUS] = [said(503)]
    with pytest.raises(NoAnswer):
        server.kaggle(time, chance=0.0).state(REF)
    assert time.waits == [0.25, 0.5, 1.0, 2.0]


def test_a_push_that_could_not_be_sent_is_sent_again(metadata: KernelMetadata) -> None:
    """Without a connection nothing can have taken effect."""
    with scripted() as gone:
        pass
    time = Time()
    with pytest.raises(NoAnswer, match=f"no connection to {gone.url}: Connection refused"):
        push(gone.kaggle(time), metadata)
    assert time.waits == [0.5, 1.0, 2.0]
    time = Time()
    with pytest.raises(NoAnswer, match="asking for the state of ada/tiny-base v3: no connection"):
        gone.kaggle(time).state(REF)
    assert time.waits == [0.5, 1.0, 2.0, 4.0]


def test_a_data_set_that_is_being_processed_is_waited_for(
    server: Scripted, metadata: KernelMetadata, caplog: pytest.LogCaptureFixture
) -> None:
    """409 means that nothing was done; the push is repeated until the data set is ready, and ends with Later if not."""
    caplog.set_level("WARNING")
    time = Time()
    server.script["SaveKernel"] = [said(409), said(409), SAVED]
    assert push(server.kaggle(time), metadata).ref.version == 4
    assert time.waits == [5.0, 10.0]
    assert caplog.messages[1] == "SaveKernel: still processing: 409: planned; trying again in 10.0 s"
    time = Time()
    server.script["SaveKernel"] = [said(409, "Dataset is processing")]
    with pytest.raises(Later, match="still processing a data set: Dataset is processing"):
        push(server.kaggle(time), metadata)
    assert 240 < sum(time.waits) < 300


def test_a_server_that_does_not_answer(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each try has a time-out of its own; a silent server is tried again, too."""
    over = threading.Event()
    monkeypatch.setattr(policy, "READ_SECONDS", 0.05)
    server.script[STATUS] = [lambda handler: (over.wait(10), None)[1]]
    with pytest.raises(NoAnswer, match=r"no answer from http://127\.0\.0\.1:\d+ in time"):
        server.kaggle().state(REF)
    over.set()
    assert server.seen == [STATUS] * 5


def test_a_call_has_a_deadline(server: Scripted) -> None:
    """No try begins after two minutes, however many are left."""
    time = Time()

    def slow(handler: Any) -> None:
        time.now += 50.0
        said(503)(handler)

    server.script[STATUS] = [slow]
    with pytest.raises(NoAnswer):
        server.kaggle(time).state(REF)
    assert len(server.seen) == 3


@pytest.mark.parametrize(
    ("header", "waits"),
    [
        ("7", [pytest.approx(7.7)]),
        ("0", [0.5]),
        ("-5", [0.5]),
        ("soon", [0.5]),
        ("nan", [0.5]),
        ("1e999", [0.5]),
        ("Mon, 99 Foo 2026", [0.5]),
    ],
)
def test_retry_after_is_used(server: Scripted, header: str, waits: list[float]) -> None:
    """The server's value is the minimum if it is valid, with up to a tenth more."""
    time = Time()
    server.script[STATUS] = [said(429, Retry_After=header), RUNNING]
    server.kaggle(time).state(REF)
    assert time.waits == waits


def test_retry_after_is_bounded(server: Scripted) -> None:
    """A command does not wait for an hour: it ends at once with Later, and says when to try again."""
    time = Time()
    server.script[STATUS] = [said(429, Retry_After="3600")]
    with pytest.raises(Later) as caught:
        server.kaggle(time).state(REF)
    assert caught.value.hint == "Try again in 3,600 seconds."
    assert caught.value.exit_code == 75
    assert time.waits == []


def test_retry_after_may_be_a_date() -> None:
    """HTTP allows both forms; a time in the past is no wait."""
    assert policy.retry_after(email.utils.formatdate(1_800_000_030, usegmt=True), now=1_800_000_000) == 30
    assert policy.retry_after(email.utils.formatdate(1_700_000_000, usegmt=True), now=1_800_000_000) == 0
    assert policy.retry_after(None) is None


def test_every_method_has_its_kind() -> None:
    """What changes something is a write, and so is every method that is not in the table."""
    names = {"".join(map(str.title, name.split("_"))) for name in vars(KernelsApiClient) if not name.startswith("_")}
    reads = {name for name in names if policy.limits(name).kind is not Kind.WRITE}
    assert names - reads == {
        *("SaveKernel", "DeleteKernel", "CancelKernelSession", "CreateKernelSession"),
        "DownloadKernelOutputZip",  # not used
    }
    assert policy.limits("CreateCodeSubmission").kind is Kind.WRITE
    assert {failure for rule in policy.RULES for failure in rule.failures if Kind.WRITE in rule.kinds} == {
        Failure.CONNECT,
        Failure.PROCESSING,
    }


@pytest.mark.parametrize(
    ("failed", "kind", "error", "words"),
    [
        (
            (Failure.REFUSED, "Maximum batch GPU session count of 2 reached", 200),
            Kind.WRITE,
            NoSlot,
            "as many sessions",
        ),
        (
            (Failure.REFUSED, "Maximum batch GPU session count of 2 reached", 403),
            Kind.WRITE,
            NoSlot,
            "as many sessions",
        ),
        ((Failure.REFUSED, "Maximum weekly GPU quota of 30 hours reached", 400), Kind.WRITE, Later, "quota is spent"),
        ((Failure.THROTTLED, "Quota of requests", 429), Kind.READ, Later, "asks to slow down"),
        ((Failure.DOWN, "session count", 503), Kind.WRITE, NoAnswer, "failed with HTTP 503"),
        ((Failure.REFUSED, "Bad Request", 400), Kind.WRITE, TargetError, "refused with HTTP 400: Bad Request"),
        ((Failure.REFUSED, "", 413), Kind.WRITE, TargetError, "refused with HTTP 413"),
        ((Failure.REFUSED, "", 418), Kind.READ, TargetError, "refused with HTTP 418"),
        ((Failure.REFUSED, "", 501), Kind.WRITE, NoAnswer, "failed with HTTP 501"),
        ((Failure.REFUSED, "", 401), Kind.READ, CredentialsError, "did not accept the credentials from the test"),
        ((Failure.REFUSED, "no", 403), Kind.READ, NoAccess, "kaggle answered with HTTP 403: no"),
        ((Failure.REFUSED, "Title is taken", 200), Kind.WRITE, TargetError, "kaggle refused: Title is taken"),
        ((Failure.UNTRUSTED, "", 0), Kind.READ, NotSent, "certificate of https://kaggle.example is not trusted"),
    ],
)
def test_each_failure_has_a_meaning(
    failed: tuple[Failure, str, int], kind: Kind, error: type[CoordError], words: str
) -> None:
    """Class and message of the error."""
    failure, detail, status = failed
    given = Failed(failure, detail, status=status)
    given.kind = kind
    found = explain(given, "pushing it", target="kaggle", endpoint="https://kaggle.example", source="the test")
    assert type(found) is error
    assert found.what.startswith("pushing it: ")
    assert words in found.what


def test_every_failure_has_a_meaning_of_its_own() -> None:
    """For every kind of call; only a refusal in a field is left to the last row."""
    for failure in set(Failure) - {Failure.REFUSED}:
        for kind in Kind:
            failed = Failed(failure)
            failed.kind = kind
            row = row_of(failed)
            assert row is not ERROR_TABLE[-1]
            assert row.hint


def test_a_source_that_is_too_large_is_explained(server: Scripted, metadata: KernelMetadata) -> None:
    """Kaggle's 400 gives no reason; the hint names the likely one."""
    server.script["SaveKernel"] = [said(400, "Bad Request")]
    with pytest.raises(TargetError, match="pushing ada/tiny-base: kaggle refused with HTTP 400") as caught:
        push(server.kaggle(), metadata)
    assert "a source above 1 MiB" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("own_list", "owner", "error", "words"),
    [
        (ok(kernels=[]), "ada", NoAccess, 'there is no such kernel (or version): was "tiny-base" deleted or renamed?'),
        (ok(kernels=[]), "eve", NoAccess, 'eve is not you ("ada")'),
        (said(403), "ada", CredentialsError, "your token has expired, or was revoked"),
        (said(401), "ada", CredentialsError, "did not accept the credentials"),
        (html(), "ada", NoAccess, "somebody else's and private, or your token has expired"),
    ],
)
def test_the_reason_of_a_403_is_found_out(
    server: Scripted, own_list: Answer, owner: str, error: type[CoordError], words: str
) -> None:
    """No such kernel, somebody else's, or an expired token: a token that lists its own kernels is valid."""
    server.script.update({STATUS: [said(403, "Permission 'kernels.get' was denied")], "ListKernels": [own_list]})
    with pytest.raises(error) as caught:
        server.kaggle().state(KernelRef(owner, "tiny-base", 3))
    assert type(caught.value) is error
    assert words in f"{caught.value.what}\n{caught.value.hint}"


def test_a_403_that_is_about_no_kernel(server: Scripted) -> None:
    """The hint names the only possible reason: the token."""
    server.script["GetAcceleratorQuotaStatistics"] = [said(403)]
    with pytest.raises(NoAccess, match="asking for the quota: kaggle answered with HTTP 403") as caught:
        server.kaggle().quota()
    assert caught.value.hint == "Is your token still valid? Ask: coord doctor"


def test_a_push_that_is_not_allowed(server: Scripted, metadata: KernelMetadata) -> None:
    """With a valid token it is the owner or the slug."""
    server.script.update({"SaveKernel": [said(403)], "ListKernels": [ok(kernels=[])]})
    with pytest.raises(NoAccess) as caught:
        push(server.kaggle(), metadata)
    assert caught.value.hint == (
        'Your token is valid. Is "ada" its user ([tool.coord] owner), and "tiny-base" the title\'s slug?'
    )


def test_a_missing_kernel_differs_from_an_expired_token(server: Scripted) -> None:
    """`source` is None only if there certainly is no kernel, because it decides whether a push arrived."""
    server.script.update({"GetKernel": [said(403)], "ListKernels": [ok(kernels=[])]})
    assert server.kaggle().source("ada", "tiny-base") is None
    for answer, error in ((said(403), CredentialsError), (said(503), NoAnswer), (html(), Later)):
        server.script["ListKernels"] = [answer]
        with pytest.raises(error):
            server.kaggle().source("ada", "tiny-base")


def test_a_number_of_the_kernel_is_checked_before_the_push(server: Scripted, metadata: KernelMetadata) -> None:
    """`id_no` wins over `id` on Kaggle: with another kernel's number, that kernel would get the version."""
    numbered = KernelMetadata(text="", data={**metadata.data, "id_no": 5})
    server.script.update({"SaveKernel": [SAVED], "ListKernels": [ok(kernels=[])]})
    for answer, error, message in (
        (ok(metadata={"id": 12}), TargetError, "id_no 5 is another kernel's than ada/tiny-base: its number is 12"),
        (ok(), TargetError, "id_no 5 is another kernel's than ada/tiny-base"),
        (said(403), TargetError, "id_no 5 is another kernel's: ada/tiny-base does not exist yet"),
        (said(503), NotSent, "asking for the number of ada/tiny-base"),
    ):
        server.script["GetKernel"] = [answer]
        with pytest.raises(error) as caught:
            push(server.kaggle(), numbered)
        assert type(caught.value) is error
        assert message in caught.value.what
        assert caught.value.hint
    assert "SaveKernel" not in server.seen
    server.script["GetKernel"] = [ok(metadata={"id": 5})]
    assert push(server.kaggle(), numbered).ref.version == 4
    assert json.loads(server.bodies[-1])["id"] == 5
    # Without a number nothing is asked.
    asked = server.seen.count("GetKernel")
    push(server.kaggle(), metadata)
    assert server.seen.count("GetKernel") == asked
    assert "id" not in json.loads(server.bodies[-1])


def test_threads_do_not_wait_for_each_other(server: Scripted) -> None:
    """Sixteen calls or downloads of one client reach the server at the same time, and each gets its own answer."""
    together = threading.Barrier(16, timeout=20)

    def meet(handler: Any) -> None:
        together.wait()
        RUNNING(handler)

    def meet_file(handler: Any) -> None:
        together.wait()
        raw(200, handler.path.encode(), "text/plain")(handler)

    server.script.update({STATUS: [meet], "file": [meet_file]})
    kaggle = server.kaggle()
    states, files = list[RunState](), set[str]()

    def ask() -> None:
        states.append(kaggle.state(REF).state)

    def fetch(number: int) -> None:
        with contextlib.closing(kaggle._downloads.get(f"{server.url}/{number}/file")) as response:
            files.add(response.text)

    for target, arguments in ((ask, [()] * 16), (fetch, [(number,) for number in range(16)])):
        threads = [threading.Thread(target=target, args=given) for given in arguments]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    kaggle.close()
    assert states == [RunState.RUNNING] * 16
    assert files == {f"/{number}/file" for number in range(16)}


def test_a_download_is_without_credentials(server: Scripted) -> None:
    """A signed address needs none, and may be on any host."""
    server.script["a.txt"] = [said(503), raw(200, b"content", "text/plain")]
    file = OutputFile(name="a.txt", url=f"{server.url}/a.txt?signature=s")
    download = server.kaggle().open_output(file)
    assert (download.start, download.size, b"".join(download.chunks)) == (0, 7, b"content")
    download.close()
    assert not any("Authorization" in headers for headers in server.headers)
    server.script["a.txt"] = [said(403, "expired")]
    with pytest.raises(Expired, match=r"downloading a\.txt: kaggle answered with HTTP 403"):
        server.kaggle().open_output(file)
    with scripted() as gone:
        pass
    file = OutputFile(name="a.txt", url=f"http://localhost:{gone.server_address[1]}/a.txt?signature=s")
    with pytest.raises(NoAnswer, match=r"downloading a\.txt: no connection to localhost: Connection refused$"):
        server.kaggle().open_output(file)


def test_what_a_caller_cannot_use(server: Scripted) -> None:
    """Any other problem with an answer of the right types is one message, too."""
    message = "reading it: kaggle's answer is not usable: invalid literal"
    with pytest.raises(NoAnswer, match=message), server.kaggle()._session.explaining("reading it"):
        int("x")


def test_credentials_need_tls() -> None:
    """Except on this machine; a name that only begins like an address of this machine is another one."""
    for endpoint in (
        "http://kaggle.example",
        "http://localhost.example",
        "http://127.0.0.1.example",
        "ftp://localhost",
    ):
        with pytest.raises(CredentialsError, match="over https only"):
            Kaggle(name="kaggle", endpoint=endpoint, credentials=CREDENTIALS, owner="ada")
    for endpoint in ("https://kaggle.example", "http://localhost:1", "http://127.0.0.2", "http://[::1]:80"):
        Kaggle(name="kaggle", endpoint=endpoint, credentials=CREDENTIALS, owner="ada").close()


@pytest.mark.parametrize("connection", ["close", "keep-alive"])
def test_a_silent_live_log_ends(server: Scripted, connection: str) -> None:
    """After `idle_seconds` without data; the head of the answer may take longer."""
    over, waited_for = threading.Event(), list[str]()

    def answer(handler: Any) -> None:
        over.wait(0.15)
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Connection", connection)
        if connection == "keep-alive":
            handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.send(b'data: {"data": "a"}\n')
        if not over.wait(20):
            waited_for.append("the server")

    server.script["GetKernelSessionLogsStream"] = [answer]
    assert [record.data for record in server.kaggle().follow(REF, idle_seconds=0.05)] == ["a"]
    assert waited_for == []
    over.set()


def test_what_goes_wrong_with_tls(server: Scripted) -> None:
    """An untrusted certificate is reported as such, and nothing is sent before TLS stands."""
    plain = Kaggle(
        name="kaggle",
        endpoint=server.url.replace("http:", "https:"),
        credentials=CREDENTIALS,
        owner="ada",
        clock=Clock(sleep=lambda seconds: None),
    )
    with pytest.raises(NotSent, match=r"TLS failed \(wrong version number\)"):
        plain.state(REF)
    assert server.seen == []
    reason = urllib3.exceptions.SSLError(ssl.SSLCertVerificationError("[SSL: CERTIFICATE_VERIFY_FAILED] it is old"))
    pool = urllib3.HTTPSConnectionPool("kaggle.example")
    error = requests.exceptions.SSLError(urllib3.exceptions.MaxRetryError(pool, "/?secret", reason))
    failed = as_failed(error)
    assert failed.failure is Failure.UNTRUSTED
    assert "secret" not in str(failed)


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_an_invalid_file_of_certificates(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None) -> None:
    """The message names the file of REQUESTS_CA_BUNDLE; nothing is sent, and nothing is repeated."""
    file = tmp_path / "bundle.pem"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(file))
    kaggle = Kaggle(
        name="kaggle",
        endpoint="https://kaggle.example",
        credentials=CREDENTIALS,
        owner="ada",
        clock=Clock(sleep=lambda seconds: pytest.fail("it is repeated")),
    )
    with pytest.raises(NotSent, match=re.escape(str(file))) as error:
        kaggle.state(REF)
    assert "REQUESTS_CA_BUNDLE" in (error.value.hint or "")


def test_trusted_certificates_are_read_once() -> None:
    """All connections share them, and check host names and certificates as strictly as those of requests."""
    adapter = Adapter()
    contexts = []
    for host in ("kaggle.example", "files.example"):
        address = f"https://{host}/"
        pool: Any = adapter.get_connection_with_tls_context(requests.Request("GET", address).prepare(), True)
        adapter.cert_verify(pool, address, True, None)
        assert (pool.ca_certs, pool.ca_cert_dir, pool.cert_reqs) == (None, None, "CERT_REQUIRED")
        contexts += [pool._new_conn().ssl_context for _ in range(2)]
    assert len(set(map(id, contexts))) == 1
    assert contexts[0].check_hostname
    assert contexts[0].verify_mode is ssl.CERT_REQUIRED
    assert contexts[0].cert_store_stats()["x509_ca"] > 50


def test_the_document_has_the_tables() -> None:
    """docs/reliability.md shows the tables of the client; python -m benchmarks.client_tables prints them."""
    document = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    for table in client_tables.tables():
        assert table in document
