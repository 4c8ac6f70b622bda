"""Requests that never become complete, bodies without an end, and hosts that are not this machine.

Seen: https://github.com/Kludex/uvicorn/issues/157 (no time-out for headers and bodies), and
https://github.com/xorbitsai/inference/pull/5213 (one byte at a time holds a connection of uvicorn's for ever).
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from runner_test.http import Timed
from runner_test.server import running_server
from runner_test.state import locks, uploads
from runner_test.store import Store
from tests.runner_test.local import Local

STATUS = "/api/v1/kernels.KernelsApiService/GetKernelSessionStatus"
HEAD = f"POST {STATUS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
CHUNKED = f"{HEAD}Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    """A server, for all tests of this module; nothing is saved."""
    store = Store(tmp_path_factory.mktemp("kaggle"))
    with running_server(store.root) as server:
        yield Local(server.url, store)


def _connect(local: Local) -> socket.socket:
    parts = urlsplit(local.url)
    return socket.create_connection((str(parts.hostname), parts.port or 0), timeout=10)


def _key(local: Local) -> str:
    return f"Authorization: Basic {b64encode(':'.join(local.me).encode()).decode()}\r\n"


def _rest(connection: socket.socket) -> bytes:
    """All that the server sends until it closes the connection."""
    pieces = []
    try:
        while piece := connection.recv(65536):
            pieces.append(piece)
    except ConnectionResetError:
        pass
    return b"".join(pieces)


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        ("", b"408"),
        ("P", b"408"),
        (HEAD, b"408"),
        (HEAD + "X-Name: val", b"408"),
        (f"{HEAD}Content-Length: 20\r\n\r\n", b"408"),
        (f'{HEAD}Content-Length: 20\r\n\r\n{{"user', b"408"),
        (CHUNKED, b"408"),
        (f"{CHUNKED}5\r\n", b"408"),
        (f"{CHUNKED}5\r\n  {{}} \r\n", b"408"),
        ("POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20\r\n\r\n{}", b"404"),
        ("PUT /uploads/none HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20\r\n\r\n{}", b"404"),
    ],
)
def test_what_is_half_sent_is_closed(local: Local, monkeypatch: pytest.MonkeyPatch, sent: str, answer: bytes) -> None:
    """The connection is closed after the time-out, wherever the request stops."""
    monkeypatch.setattr(Timed, "head_seconds", 0.2)
    monkeypatch.setattr(Timed, "pause_seconds", 0.2)
    with _connect(local) as connection:
        connection.sendall(sent.encode())
        found = _rest(connection)
    assert found.split(b" ", 2)[1] == answer


def test_a_second_request_that_is_half_sent(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    """What begins on a connection that was used before has the same time."""
    monkeypatch.setattr(Timed, "head_seconds", 0.2)
    with _connect(local) as connection:
        connection.sendall(f"{HEAD}Content-Length: 2\r\n\r\n{{}}".encode())
        assert b" 401 " in connection.recv(65536)
        connection.sendall(HEAD.encode())
        assert b" 408 " in _rest(connection)


@pytest.mark.parametrize("begin", ["", f"{HEAD}Content-Length: 999\r\n\r\n", CHUNKED])
def test_one_byte_at_a_time_is_too_slow(local: Local, monkeypatch: pytest.MonkeyPatch, begin: str) -> None:
    """A client that always sends something is given the same time for the whole head, and for the whole body."""
    monkeypatch.setattr(Timed, "head_seconds", 0.4)
    monkeypatch.setattr(Timed, "body_seconds", 0.4)
    drops = " " * 40 if "Length" in begin else ["1\r\n \r\n"] * 40 if begin else HEAD[:40]
    with _connect(local) as connection:
        connection.sendall(begin.encode())
        sent = 0
        with contextlib.suppress(OSError):
            for drop in drops:
                time.sleep(0.05)
                connection.sendall(drop.encode())
                sent += 1
    assert sent < 40


def test_who_sends_slowly_but_in_time_is_served(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time-outs are for what stands still: a body in pieces is answered, on a connection that was used before."""
    monkeypatch.setattr(Timed, "pause_seconds", 1.0)
    request = f"{HEAD}{_key(local)}Content-Length: 4\r\n\r\n"
    with _connect(local) as connection:
        for _ in range(2):
            connection.sendall(request.encode())
            for piece in ("{", " ", " ", "}"):
                time.sleep(0.05)
                connection.sendall(piece.encode())
            assert b"403" in connection.recv(65536)


@pytest.mark.parametrize("is_chunked", [False, True])
@pytest.mark.parametrize("start", ["{}", ""])
def test_a_body_without_an_end_is_cut_off(local: Local, start: str, is_chunked: bool) -> None:
    """A body above the limit is answered before it has all come, whether its length is told or not."""
    length = "Transfer-Encoding: chunked" if is_chunked else f"Content-Length: {1 << 40}"
    block = b" " * (1 << 20)
    piece = b"%x\r\n%b\r\n" % (len(block), block) if is_chunked else block
    with _connect(local) as connection:
        connection.sendall(f"{HEAD}{_key(local)}{length}\r\n\r\n".encode())
        first = f"{len(start):x}\r\n{start}\r\n" if is_chunked else start
        connection.sendall(first.encode() if start else b"")
        answers: list[bytes] = []
        reader = threading.Thread(target=lambda: answers.append(connection.recv(65536)))
        reader.start()
        for _ in range(64):
            if answers:
                break
            connection.sendall(piece)
        reader.join(10)
    assert answers
    assert b"400" in answers[0]
    assert b"Bad Request" in answers[0]


@pytest.mark.parametrize(
    ("target", "host"),
    [
        (STATUS, "evil.example"),
        (f"http://evil.example{STATUS}", "evil.example"),
        (f"http://evil.example{STATUS}", "localhost"),  # the address decides, not the header
        (f"http://evil.example:80{STATUS}", "127.0.0.1"),
        (f"http://localhost@evil.example{STATUS}", "localhost"),
        (f"http://localhost.evil.example{STATUS}", "localhost"),
        (f"http://127.0.0.1.evil.example{STATUS}", "127.0.0.1"),
        (f"http://{STATUS}", "localhost"),
        (f"http%3A//localhost{STATUS}", "evil.example"),  # no address, but a path
        (STATUS, "localhost.evil.example"),
        (STATUS, "evil.example@10.0.0.1"),
        (STATUS, "0.0.0.0"),
        (STATUS, ""),
    ],
)
def test_requests_for_other_hosts_are_refused(local: Local, target: str, host: str) -> None:
    """Even with the token: a page whose name was made to lead here must not be answered."""
    head = f"POST {target} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n{_key(local)}"
    with _connect(local) as connection:
        connection.sendall(f"{head}Content-Length: 2\r\nConnection: close\r\n\r\n{{}}".encode())
        found = _rest(connection)
    assert found.startswith(b"HTTP/1.1 403")
    assert b"is not this machine" in found


def test_an_upload_that_stops_leaves_whole_blocks(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    """Less than a block of a file is removed with the connection, and it never counts as complete."""
    monkeypatch.setattr(Timed, "pause_seconds", 0.2)
    upload = uploads.start_upload(local.store.root, "me", "siim", "a.csv", 20, lifetime=60)
    with _connect(local) as connection:
        connection.sendall(
            f"PUT /uploads/{upload.token} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20\r\n\r\nab".encode()
        )
        assert _rest(connection).split(b" ", 2)[1] == b"408"
    folder = uploads.upload_content(local.store.root, upload.token).parent
    deadline = time.monotonic() + 30
    while locks.is_held(folder / "lock") or uploads.received(local.store.root, upload):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert (folder / "partial").exists()
    assert not (folder / "content").exists()
