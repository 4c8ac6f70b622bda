"""A hostile server: each answer is refused with one message, in limited memory and time, and gets no credentials."""

from __future__ import annotations

import gzip
import itertools
import json
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from coordinator.errors import NoAnswer, TargetError
from coordinator.target.kaggle import Kaggle, parsing, policy, session
from coordinator.target.kaggle.policy import Failed
from coordinator.target.protocol import KernelRef, LogRecord, OutputFile, SessionState
from tests.coordinator.scripted import (
    CREDENTIALS,
    KEY,
    Answer,
    Scripted,
    Time,
    causes,
    ok,
    raw,
    reset,
    said,
    scripted,
    stream,
)

REF = KernelRef("ada", "tiny-base", 3)
STATUS, OUTPUT, LIVE = "GetKernelSessionStatus", "ListKernelSessionOutput", "GetKernelSessionLogsStream"
MIB = 1 << 20

CALLS: dict[str, Callable[[Kaggle], Any]] = {
    STATUS: lambda kaggle: kaggle.state(REF),
    OUTPUT: lambda kaggle: list(kaggle.outputs(REF)),
    "GetKernel": lambda kaggle: kaggle.source("ada", "tiny-base"),
    LIVE: lambda kaggle: list(kaggle.follow(REF, idle_seconds=0.3)),
}


@pytest.fixture
def server() -> Iterator[Scripted]:
    with scripted() as server:
        yield server


def refusal(server: Scripted, method: str, answer: Answer) -> str:
    """The message of the call's error; the call must not be repeated."""
    server.script[method] = [answer]
    with pytest.raises(TargetError) as caught:
        CALLS[method](server.kaggle())
    assert "\n" not in caught.value.what
    assert len(caught.value.what) < 600
    return caught.value.what


@pytest.mark.parametrize(
    ("method", "answer", "message"),
    [
        (STATUS, [], "the answer is a list, not an object"),
        (STATUS, "RUNNING", "the answer is text, not an object"),
        (STATUS, 7, "the answer is a whole number, not an object"),
        (STATUS, {"status": 3}, "status is a whole number, not text"),
        (STATUS, {"status": ["RUNNING"]}, "status is a list, not text"),
        (STATUS, {"status": "x" * 1000}, "status has 1,000 characters"),
        (STATUS, {"status": "DANCING"}, "it is no valid ApiGetKernelSessionStatusResponse: 'DANCING'"),
        (STATUS, {"status": "ERROR", "failureMessage": {}}, "failureMessage is an object, not text"),
        (OUTPUT, {"files": {}}, "files is an object, not a list"),
        (OUTPUT, {"files": "abc"}, "files is text, not a list"),
        (OUTPUT, {"files": [None]}, "files[0] is null, not an object"),
        (OUTPUT, {"files": [{"fileName": "a"}, {"fileName": 5}]}, "fileName is a whole number, not text"),
        (OUTPUT, {"nextPageToken": True}, "nextPageToken is true or false, not text"),
        ("GetKernel", {"metadata": [], "blob": {}}, "metadata is a list, not an object"),
        ("GetKernel", {"metadata": {"currentVersionNumber": "seven"}, "blob": {}}, "is text, not a whole number"),
        ("GetKernel", {"metadata": {"currentVersionNumber": True}, "blob": {}}, "is true or false, not a whole number"),
        ("GetKernel", {"metadata": {"currentVersionNumber": 1.5}, "blob": {}}, "is a number, not a whole number"),
        ("GetKernel", {"metadata": None}, "answered without the kernel"),
        (LIVE, {"stream_name": "stdout"}, "the log is an object, not a list"),
        (LIVE, [["stdout"]], "a record of the log is a list, not an object"),
        (LIVE, [{"data": 5}], "a record's data is a whole number, not text"),
        (LIVE, [{"time": "now"}], "a record's time is text, not a number"),
    ],
)
def test_wrong_types(server: Scripted, method: str, answer: Any, message: str) -> None:
    """The message names the field; nothing is guessed."""
    assert message in refusal(server, method, ok(answer))
    assert server.seen == [method]


@pytest.mark.parametrize("log", ["{}", "[1]", '[{"data": []}]'])
def test_wrong_types_in_a_stored_log(server: Scripted, log: str) -> None:
    """The log is JSON inside JSON."""
    server.script[OUTPUT] = [ok(log=log)]
    with pytest.raises(NoAnswer, match="answer is not usable"):
        server.kaggle().log(REF)


def test_variants_that_the_json_of_protobuf_allows(server: Scripted) -> None:
    """null is a missing field; integers may be text; unknown fields belong to a later version."""
    fields = {"status": "ERROR", "failureMessage": None, "new": {"a": [1]}}
    server.script[STATUS] = [ok(fields)]
    state: SessionState = CALLS[STATUS](server.kaggle())
    assert (state.state, state.message) == ("error", "")
    server.script["GetKernel"] = [ok(metadata={"currentVersionNumber": "12"}, blob={"source": "a\ud800b"})]
    assert CALLS["GetKernel"](server.kaggle()) == (12, "a?b")


def test_messages_have_no_control_characters(server: Scripted) -> None:
    """Escape sequences could move the cursor; half of a surrogate pair cannot be printed."""
    nasty = "\x1b]0;title\x07\x1b[2Jred\r\nmore \ud800" + "x" * 1000
    for answer in (ok(code=418, message=nasty), raw(418, json.dumps({"message": nasty}).encode())):
        message = refusal(server, STATUS, answer)
        assert message.isprintable()
        assert "]0;title [2Jred more" in message
    server.script[STATUS] = [ok(status="ERROR", failureMessage=nasty)]
    assert CALLS[STATUS](server.kaggle()).message.isprintable()


def endless(piece: bytes) -> Iterator[bytes]:
    return itertools.repeat(piece, 10 * (1 << 30) // len(piece))


def packed() -> bytes:
    """64 MiB of spaces, which JSON allows, compressed to 64 KiB."""
    bomb = gzip.compress(b" " * (64 * MIB))
    assert len(bomb) < 80_000
    return bomb


@pytest.mark.parametrize(
    ("method", "answer", "message"),
    [
        (STATUS, stream(endless(b" " * MIB)), "is larger than 1 MiB"),
        (STATUS, stream(endless(b" " * MIB), Content_Length=str(10 << 30)), "is larger than 1 MiB"),
        (STATUS, raw(200, packed(), Content_Encoding="gzip"), "is larger than 1 MiB"),
        (STATUS, raw(200, b"{}", Content_Encoding="br"), "compressed with br, which was not requested"),
        (LIVE, stream(endless(b" " * MIB)), "is larger than 64 MiB"),
        (LIVE, stream(endless(b"data: " + b"x" * MIB), "text/event-stream"), "a line of it is larger than 4 MiB"),
        (LIVE, stream(endless((b":" * 1023 + b"\n") * 1024), "text/event-stream"), "is larger than 64 MiB"),
    ],
    ids=["endless", "announced", "gzip bomb", "brotli", "endless log", "endless line", "endless lines"],
)
def test_ten_gigabytes_for_a_small_question(server: Scripted, method: str, answer: Answer, message: str) -> None:
    """It is counted as it arrives, before and after unpacking; the connection is closed, and little memory was used."""
    tracemalloc.start()
    try:
        assert message in refusal(server, method, answer)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    most = policy.limits(method).answer
    assert peak < 2.5 * most + 16 * MIB
    assert server.seen == [method]


def test_an_error_of_ten_gigabytes(server: Scripted) -> None:
    """No more than 64 KiB of the body of an HTTP error are read."""

    def answer(handler: Any) -> None:
        handler.send_response(418)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.close_connection = True
        for piece in endless(b" " * MIB):
            handler.send(piece)

    assert "refused with HTTP 418" in refusal(server, STATUS, answer)
    assert server.sent < 32 * MIB


@pytest.mark.parametrize("text", [b"[" * 100_000, b'{"status":' * 50_000, b'{"a":' + b"9" * 10_000 + b"}"])
def test_what_breaks_parsers(server: Scripted, text: bytes) -> None:
    """Without limits deep nesting would overflow the stack, and long numbers would take quadratic time."""
    assert "answer" in refusal(server, STATUS, raw(200, text))


def test_an_answer_that_repeats_the_key_does_not_show_it(server: Scripted) -> None:
    """In an answer, in an error of HTTP, and in an error with the status of a success."""
    server.script[STATUS] = [ok(status="ERROR", failureMessage=f"no {KEY}")]
    assert CALLS[STATUS](server.kaggle()).message == "no ***"
    for answer in (said(418, f"no {KEY}"), ok(code=418, message=f"no {KEY}")):
        message = refusal(server, STATUS, answer)
        assert "no ***" in message
        assert KEY not in message


@pytest.mark.parametrize("answer", [reset, raw(200, b"no JSON"), raw(302, b"", Location="https://[")])
def test_a_traceback_has_only_our_own_texts(server: Scripted, answer: Answer) -> None:
    """Those of the libraries have headers, addresses and answers, with what is secret in them."""
    server.script[STATUS] = [answer]
    with pytest.raises(TargetError) as caught:
        server.kaggle().state(REF)
    assert {type(each).__module__.partition(".")[0] for each in causes(caught.value)} == {"coordinator"}


def test_a_body_that_breaks_off_shows_no_address(server: Scripted) -> None:
    """The caller reads it, and requests would name the address with its signature."""
    session = server.kaggle()._session
    with pytest.raises(TargetError) as caught, session.explaining("reading it"):
        raise requests.exceptions.ConnectionError("https://x/a?signature=secret")
    assert not any("secret" in str(each) for each in causes(caught.value))


def test_an_answer_that_drips(server: Scripted) -> None:
    """Each byte arrives in time, but the answer would never end: the deadline of the call ends it."""
    time = Time()

    def drip() -> Iterator[bytes]:
        for _ in range(1000):
            time.now += 10.0
            yield b" "

    server.script[STATUS] = [stream(drip())]
    with pytest.raises(NoAnswer, match="in time"):
        server.kaggle(time).state(REF)
    assert server.seen == [STATUS]


@pytest.mark.parametrize(
    "line", [b"HTTP/1.1 200 OK", b"HTTP/1.1 200 OK\r\nX-A: b\r\nX-", b"HTTP/1.1 200 OK\r\nX-A: b\r\n"]
)
def test_a_head_that_drips(server: Scripted, monkeypatch: pytest.MonkeyPatch, line: bytes) -> None:
    """With a byte every 10 ms it would never end; the head as a whole has the read time-out."""
    monkeypatch.setattr(policy, "READ_SECONDS", 0.4)
    over, sent = threading.Event(), list[int]()

    def drip(handler: Any) -> None:
        handler.send(line)
        for number in range(2000):
            if over.wait(0.01):
                return
            sent.append(number)
            handler.send(b"x" if line[-1:] != b"\n" else b"X-A: b\r\n")

    server.script[STATUS] = [drip, drip, ok(status="RUNNING")]
    assert CALLS[STATUS](server.kaggle()).state == "running"
    over.set()
    assert len(sent) < 2000


def test_endless_pages(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """Page tokens that are repeated, and ones that are always new."""
    page = {"files": [{"fileName": "a", "url": "https://x/a"}]}
    server.script[OUTPUT] = [ok(page | {"nextPageToken": token}) for token in ("a", "b", "a")]
    with pytest.raises(TargetError, match="repeats its page tokens"):
        CALLS[OUTPUT](server.kaggle())
    assert len(server.seen) == 3
    monkeypatch.setattr(session, "_PAGES_AT_MOST", 50)
    numbers = itertools.count()
    server.script[OUTPUT] = [lambda handler: ok(page | {"nextPageToken": str(next(numbers))})(handler)]
    with pytest.raises(TargetError, match="never ends: it has more than 50 pages"):
        CALLS[OUTPUT](server.kaggle())


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_credentials_do_not_follow_a_redirect(server: Scripted, status: int) -> None:
    """No request is sent to the other host."""
    with scripted() as other:
        answer = raw(status, b"", Location=f"{other.url}/steal")
        assert "it is a redirect to 127.0.0.1, which must not get the credentials" in refusal(server, STATUS, answer)
        assert other.seen == []


def test_redirects_of_a_download(server: Scripted) -> None:
    """At most five, each to https or to this machine; only a server on this machine may redirect to this machine."""
    server.script.update(
        {
            "moved": [raw(302, b"", Location="/file?signature=2")],
            "file": [raw(200, b"content", "text/plain")],
            "round": [raw(302, b"", Location="/round")],
            "out": [raw(302, b"", Location="http://kaggle.example/file")],
            "odd": [raw(302, b"", Location="https://[")],
        }
    )
    kaggle = server.kaggle()
    assert kaggle._downloads.get(f"{server.url}/moved").text == "content"
    for name, message in (("round", "more than 5 redirects"), ("out", "is not https"), ("odd", "is not https")):
        with pytest.raises(Failed, match=message):
            kaggle._downloads.get(f"{server.url}/{name}")
    for url in ("http://kaggle.example/a", "file:///etc/passwd", "ftp://localhost/a", "https://", "", "//[", "a"):
        with pytest.raises(Failed, match="is not https"):
            kaggle._downloads.get(url)
    with pytest.raises(Failed, match="is not https"):
        kaggle._downloads.put("http://kaggle.example/a", Path(__file__))
    far = Kaggle(name="kaggle", endpoint="https://kaggle.example", credentials=CREDENTIALS, owner="ada")
    with pytest.raises(Failed, match="is not https"):
        far._downloads.get(f"{server.url}/file")
    assert server.seen.count("file") == 1


def test_a_live_log_of_odd_lines(server: Scripted) -> None:
    """A line that is no record is shown unchanged; a line without data is skipped; the end mark ends the log."""
    content = [b": hello\n\n", b'data: {"stream_name": "stderr", "ti', b'me": 1, "data": "a\\n"}\r\n', b"data: [1]\n"]
    content += [b'data: {"time": NaN, "data": "b"}\nevent: x\ndata: END_OF_LOG\ndata: {"data": "c"}\n']
    server.script[LIVE] = [stream(iter(content), "text/event-stream")]
    assert CALLS[LIVE](server.kaggle()) == [
        LogRecord("stderr", 1.0, "a\n"),
        LogRecord("stdout", 0.0, "[1]\n"),
        LogRecord("stdout", 0.0, "b"),
    ]


def test_shown_is_one_short_line() -> None:
    """Whatever the text is."""
    assert parsing.shown(" a\n\tb\x00c\u202ed ") == "a b c d"
    assert len(parsing.shown("x" * 10**6)) == 303


def test_names_of_output_files_are_passed_on(server: Scripted) -> None:
    """The verb checks that they stay inside its folder."""
    server.script[OUTPUT] = [ok(files=[{"fileName": "../../x", "url": "https://x/"}])]
    assert CALLS[OUTPUT](server.kaggle()) == [OutputFile("../../x", "https://x/")]
