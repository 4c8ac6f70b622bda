"""Deadlines over a whole request, in whatever part of the answer it stands still; also over TLS, and with a proxy."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from coordinator.clock import Clock
from coordinator.errors import NoAnswer, TargetError
from coordinator.target import KernelRef, RunState
from coordinator.target.kaggle import Kaggle, policy
from coordinator.target.kaggle.deadline import within
from coordinator.target.kaggle.policy import Kind, Limits
from tests.coordinator.scripted import CREDENTIALS, Scripted, Time, ok, scripted

REF = KernelRef("ada", "tiny-base", 3)
STATUS, LIVE = "GetKernelSessionStatus", "GetKernelSessionLogsStream"


@pytest.fixture
def server() -> Iterator[Scripted]:
    with scripted() as server:
        yield server


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of `localhost` with its key, in one file."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("makes its certificate with the openssl program, which is not installed")
    folder = tmp_path_factory.mktemp("tls")
    files = ["-keyout", str(folder / "key"), "-out", str(folder / "certificate")]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command = [program, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *files, *names]
    subprocess.run(command, check=True, capture_output=True)
    both = folder / "both"
    both.write_bytes((folder / "key").read_bytes() + (folder / "certificate").read_bytes())
    return both


@pytest.fixture
def tls(server: Scripted, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Scripted:
    """The server, over TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    # The handshake is the handler's, which closes a connection whose client does not trust the certificate.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    monkeypatch.setattr(server, "handle_error", lambda *_: None)
    return server


def client(endpoint: str) -> Kaggle:
    """A client that reads the environment, as it does for a host that is not this machine; its waits take no time."""
    time = Time()
    clock = Clock(monotonic=time.clock, sleep=time.sleep)
    kaggle = Kaggle(name="kaggle", endpoint=endpoint, credentials=CREDENTIALS, owner="ada", clock=clock)
    kaggle._http._settings.trust_env = True
    return kaggle


def over_tls(server: Scripted, host: str = "localhost") -> Kaggle:
    return client(f"https://{host}:{server.server_address[1]}")


def dripping(before: bytes, drop: bytes, over: threading.Event) -> Callable[[Any], None]:
    """An answer that begins like this, and to which a little is added again and again."""

    def answer(handler: Any) -> None:
        handler.close_connection = True
        handler.send(before)
        while not over.wait(0.01):
            handler.send(drop)

    return answer


@contextlib.contextmanager
def ends_soon() -> Iterator[threading.Event]:
    """An event for the server to stop; the block has to end long before."""
    over, begun = threading.Event(), time.monotonic()
    timer = threading.Timer(30, over.set)
    timer.start()
    try:
        yield over
    finally:
        timer.cancel()
        over.set()
    assert time.monotonic() - begun < 20


def test_a_block_is_ended_at_its_time() -> None:
    """What it returned or raised then does not count; what ends in time is left alone, also later."""
    ended = threading.Event()
    with pytest.raises(TimeoutError), within(0.05, ended.set):
        ended.wait(10)

    def fail(seconds: float, error: Exception) -> None:
        ended.clear()
        with within(seconds, ended.set):
            ended.wait(2 * seconds if seconds < 0.1 else 0)
            raise error

    for error in (OSError("the connection is gone"), ValueError("it is closed")):
        with pytest.raises(TimeoutError):
            fail(0.05, error)
    with pytest.raises(ValueError, match="its own"):
        fail(0.2, ValueError("its own"))
    with within(0.2, ended.set):
        pass
    assert not ended.wait(0.4)


def test_each_of_many_blocks_has_its_own_time() -> None:
    """The latest first: a shorter limit wakes the thread that watches them; one that fails to end harms no other."""
    passed = list[float]()

    def wait(seconds: float) -> None:
        ended = threading.Event()

        def end() -> None:
            ended.set()
            raise OSError("there is nothing to end")

        begun = time.monotonic()
        with pytest.raises(TimeoutError), within(seconds, end):
            ended.wait(10)
        passed.append((time.monotonic() - begun) / seconds)

    threads = [threading.Thread(target=wait, args=(seconds / 10,)) for seconds in (8, 6, 4, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(passed) == 4
    assert all(1 <= each < 4 for each in passed), passed


def test_a_forked_process_has_deadlines_of_its_own() -> None:
    """The thread that watches them is not there after a fork."""
    release = threading.Event()
    with within(30, release.set):  # the parent's thread is at work
        child = os.fork()
        if child == 0:
            try:
                with within(0.05, release.set):
                    release.wait(10)
            except TimeoutError:
                os._exit(0)
            os._exit(1)
        assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize(
    ("before", "drop", "message"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0", "in time"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"x", "in time"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n", b" ", "in time"),
        (b"HTTP/1.1 418 No\r\nContent-Length: 9000000\r\n\r\n", b" ", "refused with HTTP 418"),
    ],
    ids=["size of a chunk", "its extension", "body", "body of an error"],
)
def test_a_body_that_drips(
    server: Scripted, monkeypatch: pytest.MonkeyPatch, before: bytes, drop: bytes, message: str
) -> None:
    """Also where no piece of it ever arrives: the call ends at its deadline."""
    monkeypatch.setitem(policy.METHODS, STATUS, Limits(Kind.READ, 0.5))
    kaggle = Kaggle(name="kaggle", endpoint=server.url, credentials=CREDENTIALS, owner="ada")
    with ends_soon() as over, contextlib.closing(kaggle):
        server.script[STATUS] = [dripping(before, drop, over)]
        with pytest.raises(TargetError, match=message):
            kaggle.state(REF)
    assert server.seen == [STATUS]


def test_a_proxy_that_drips(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer to CONNECT comes before there is a connection."""
    monkeypatch.setattr(policy, "READ_SECONDS", 0.4)
    with ends_soon() as over, socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            with contextlib.suppress(OSError):
                while not over.is_set():
                    connection, _ = listener.accept()
                    with connection, contextlib.suppress(OSError):
                        connection.sendall(b"HTTP/1.1 200 ")
                        while not over.wait(0.01):
                            connection.sendall(b"x")

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{listener.getsockname()[1]}")
        with contextlib.closing(client("https://kaggle.example")) as kaggle, pytest.raises(NoAnswer, match="in time"):
            kaggle.state(REF)


def test_tls_is_checked(tls: Scripted, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate that nobody trusts, or of another host, ends the call; one that is named is trusted."""
    tls.script[STATUS] = [ok(status="RUNNING")]
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    with contextlib.closing(over_tls(tls)) as kaggle, pytest.raises(NoAnswer, match="is not trusted"):
        kaggle.state(REF)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with contextlib.closing(over_tls(tls, "127.0.0.1")) as kaggle, pytest.raises(NoAnswer, match="is not trusted"):
        kaggle.state(REF)
    with contextlib.closing(over_tls(tls)) as kaggle:
        assert [kaggle.state(REF).state for _ in range(2)] == [RunState.RUNNING] * 2
    assert tls.seen == [STATUS] * 2


def test_a_head_that_drips_over_tls(tls: Scripted, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The read time-out holds for the head as a whole, and the next try is answered."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    monkeypatch.setattr(policy, "READ_SECONDS", 0.4)
    with ends_soon() as over, contextlib.closing(over_tls(tls)) as kaggle:
        tls.script[STATUS] = [dripping(b"HTTP/1.1 200 ", b"x", over), ok(status="RUNNING")]
        assert kaggle.state(REF).state is RunState.RUNNING
    assert tls.seen == [STATUS] * 2


@pytest.mark.parametrize("length", ["Connection: close", "Content-Length: 1000", "Transfer-Encoding: chunked"])
def test_a_silent_live_log_ends_over_tls(
    tls: Scripted, certificate: Path, monkeypatch: pytest.MonkeyPatch, length: str
) -> None:
    """What came before the silence is there, and the thread that waits for more is free."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))

    def answer(handler: BaseHTTPRequestHandler) -> None:
        record = b'data: {"data": "a"}\n'
        chunk = b"%x\r\n%s\r\n" % (len(record), record) if "chunked" in length else record
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{length}\r\n\r\n"
        handler.wfile.write(head.encode() + chunk)
        over.wait(30)

    tls.script[LIVE] = [answer]
    with ends_soon() as over, contextlib.closing(over_tls(tls)) as kaggle:
        assert [record.data for record in kaggle.follow(REF, idle_seconds=0.2)] == ["a"]
