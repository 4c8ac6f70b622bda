"""A server whose answers to each of Kaggle's methods a test sets, valid or not, and a clock that the test controls."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from coordinator.clock import Clock
from coordinator.target.credentials import Credentials
from coordinator.target.kaggle import Kaggle

KEY = "0123456789abcdef" * 2  # in the form of Kaggle's keys, invented for the tests
CREDENTIALS = Credentials("the test", username="ada", key=KEY)


@dataclass
class Time:
    """A clock that advances only when something waits, or when a test changes `now`."""

    now: float = 1000.0
    waits: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


class Scripted(ThreadingHTTPServer):
    """Gives the answers of `script` for each method in their order, and then repeats the last one."""

    daemon_threads = True
    request_queue_size = 64  # for tests with many threads at once

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script: dict[str, list[Answer]] = {}
        self.seen: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.sent = 0
        """Bytes of response bodies that were accepted by the connection."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def kaggle(self, time: Time | None = None, *, chance: float = 1.0) -> Kaggle:
        """A client for this server whose waits take no time."""
        time = time or Time()
        return Kaggle(
            name="kaggle",
            endpoint=self.url,
            credentials=CREDENTIALS,
            owner="ada",
            clock=Clock(monotonic=time.clock, sleep=time.sleep, chance=lambda: chance),
        )


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes: the second would wait 40 ms for the first
    server: Scripted

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):  # the client closed the connection
            super().handle()

    def do_POST(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        self.do_GET()

    def do_PUT(self) -> None:
        self.do_POST()

    def do_GET(self) -> None:
        method = self.path.partition("?")[0].rpartition("/")[2]
        self.server.seen.append(method)
        self.server.headers.append(dict(self.headers.items()))
        answers = self.server.script.get(method)
        if not answers:
            said(500, f"nothing is planned for {method}")(self)
            return
        (answers.pop(0) if len(answers) > 1 else answers[0])(self)

    def send(self, content: bytes) -> None:
        self.wfile.write(content)
        self.server.sent += len(content)

    def log_message(self, format: str, *args: object) -> None:
        """Prints nothing."""


Answer = Callable[[_Handler], None]


@contextlib.contextmanager
def scripted() -> Iterator[Scripted]:
    """The server, which answers until the end of the context."""
    with Scripted() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all others that its traceback would show."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or (None if found.__suppress_context__ else found.__context__)


def raw(status: int, content: bytes, content_type: str = "application/json", **headers: str) -> Answer:
    """An answer with these bytes; in names of headers `_` stands for `-`."""

    def answer(handler: _Handler) -> None:
        handler.send_response(status)
        given = {"Content-Type": content_type, "Content-Length": str(len(content))}
        for name, value in {**given, **{name.replace("_", "-"): value for name, value in headers.items()}}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.send(content)

    return answer


def ok(data: Any = None, **fields: Any) -> Answer:
    """An answer with this value as JSON, or with an object of these fields."""
    return raw(200, json.dumps(fields if data is None else data).encode())


def said(status: int, message: str = "planned", **headers: str) -> Answer:
    """An error in the form of Kaggle's errors."""
    return raw(status, json.dumps({"code": status, "message": message}).encode(), **headers)


def html(status: int = 200) -> Answer:
    return raw(status, b"<html><body>Too many requests</body></html>", "text/html")


def cut(handler: _Handler) -> None:
    """Sends the first part of an answer, then closes the connection."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.send(b'{"status": "RUN')
    handler.close_connection = True


def reset(handler: _Handler) -> None:
    """Closes the connection without an answer."""
    handler.close_connection = True


def stream(content: Iterator[bytes], content_type: str = "application/json", **headers: str) -> Answer:
    """An answer without Content-Length, sent piece by piece."""

    def answer(handler: _Handler) -> None:
        handler.send_response(200)
        for name, value in {"Content-Type": content_type, "Connection": "close", **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.close_connection = True
        for piece in content:
            handler.send(piece)

    return answer
