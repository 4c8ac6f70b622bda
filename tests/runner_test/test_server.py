"""A server that starts, answers quickly, and stops without leaving anything behind."""

import gc
import socket
import threading
import time
import warnings
from urllib.parse import urlsplit

import pytest
import requests
from starlette.applications import Starlette

from runner_test.errors import NotLoopback, StartFailed
from runner_test.http import Timed
from runner_test.server import _server, running_server
from runner_test.store import Store
from tests.runner_test.local import WAITS_FOR_GO, Local, events, eventually, stream

STATUS = "/api/v1/kernels.KernelsApiService/GetKernelSessionStatus"


def test_the_server_stops_clean_and_fast(store: Store) -> None:
    """A stopped server leaves no thread and no listening port, even with a log stream open, and loses no event."""
    before = threading.enumerate()
    with running_server(store.root) as server:
        local = Local(server.url, store)
        local.push("still-runs", WAITS_FOR_GO)
        local.pid("still-runs")
        response = stream(local, "still-runs")
        next(events(response))
        started = time.monotonic()
    took = time.monotonic() - started
    assert took < 2.0  # 0.2 to 0.3 s on an idle machine
    eventually(lambda: threading.enumerate() == before, "the threads have ended", 5)
    assert "END_OF_LOG" not in list(events(response))  # so the client knows that it must connect again
    response.close()
    with pytest.raises(requests.ConnectionError):
        requests.get(server.url, timeout=5)
    # The next server on the same state shows the session, which goes on.
    with running_server(store.root) as server:
        again = Local(server.url, store)
        assert again.state("still-runs") == "RUNNING"
        again.go("still-runs")
        again.reach("still-runs", "COMPLETE")


def test_answers_are_quick(refusing: Local) -> None:
    """On a kept connection, an answer does not wait 40 ms for the client's acknowledgement (Nagle's algorithm)."""
    with requests.Session() as session:
        seconds = []
        for _ in range(20):
            started = time.monotonic()
            session.post(refusing.url + STATUS, json={}, auth=refusing.me, timeout=10)
            seconds.append(time.monotonic() - started)
    assert min(seconds[1:]) < 0.03


def test_it_listens_on_the_loopback_only(store: Store) -> None:
    """Whoever reaches it can run programs, so other addresses are refused; so is a port that is taken."""
    with pytest.raises(NotLoopback, match="only on the loopback"), running_server(store.root, address=("0.0.0.0", 0)):
        pass
    with running_server(store.root) as server:
        port = urlsplit(server.url).port or 0
        with pytest.raises(StartFailed, match=f"port {port}"), running_server(store.root, address=("127.0.0.1", port)):
            pass


def test_no_connection_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that came after the others were closed: Python would warn of it later, in whatever runs then."""
    monkeypatch.setattr(Timed, "shutdown", lambda self: None)  # as if it came too late for it
    listener = socket.create_server(("127.0.0.1", 0))
    server = _server(Starlette())
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    with socket.create_connection(listener.getsockname()) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.recv(5) == b"HTTP/"
        server.should_exit = True
        thread.join()
        listener.close()
        del server, thread
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            gc.collect()
    assert [str(each.message) for each in caught] == []
