"""A stand-in for what a fetch asks Kaggle: lists and gives a version's output, and fails as it is told to."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from coordinator.target.credentials import Credentials
from coordinator.target.kaggle import Kaggle


@dataclass(frozen=True)
class Asked:
    """A file that was asked for, and how many bytes of it went out."""

    name: str
    range: str | None
    sent: int


class Depot(ThreadingHTTPServer):
    """The server and what it holds, which a test may change at any time."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.files: dict[str, bytes] = {}
        self.page_size = 100
        self.listings = 0
        self.log: list[dict[str, Any]] = [{"stream_name": "stdout", "time": 0.0, "data": "hello\n"}]
        self.state = "COMPLETE"
        self.streams: list[bytes] = []
        """What each connection to the live log gets before it is cut; the last one ends the session as `ends_as`."""
        self.ends_as = "COMPLETE"
        self.faults: dict[str, list[str]] = {}
        """Name -> what happens to its next transfers: "cut 100" (bytes), a status code, "whole" (no ranges), "hold"."""
        self.held = threading.Event()
        """Set when a transfer that holds has sent half of its file; it goes on when `go` is set."""
        self.go = threading.Event()
        self.has_tags = True
        self.key = "1"
        """Addresses with another key have expired."""
        self.gives_old_addresses = False
        self.asked: list[Asked] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def names(self) -> list[str]:
        """Of the files that were asked for, in that order."""
        return [asked.name for asked in self.asked]

    def kaggle(self) -> Kaggle:
        credentials = Credentials(source="the test", username="ada", key="secret")
        return Kaggle(name="kaggle", endpoint=self.url, credentials=credentials, owner="ada")


@contextlib.contextmanager
def running_depot() -> Iterator[Depot]:
    with Depot() as depot:
        thread = threading.Thread(target=depot.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield depot
        finally:
            depot.go.set()
            depot.shutdown()
            thread.join()
    assert not any(depot.faults.values()), "a planned fault never happened"


class _Answers(BaseHTTPRequestHandler):
    server: Depot
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        method = self.path.rpartition("/")[2]
        if method == "ListKernelSessionOutput":
            self._json(200, self._page(int(body.get("pageToken") or 0)))
        elif method == "GetKernelSessionStatus":
            self._json(200, {"status": self.server.state})
        elif method == "GetKernelSessionLogsStream":
            self._stream()
        elif method == "ListKernels":
            self._json(200, {"kernels": []})
        else:  # no source: a kernel that is gone
            self._json(404, {"code": 404, "message": method})

    def do_GET(self) -> None:
        depot, parts = self.server, urlsplit(self.path)
        name = unquote(parts.path.removeprefix("/files/"))
        faults = depot.faults.get(name)
        fault = faults.pop(0) if faults else ""
        wanted = self.headers.get("Range")
        if parse_qs(parts.query)["key"] != [depot.key]:
            fault = "403"
        if fault.isdigit():
            depot.asked.append(Asked(name, wanted, 0))
            self._json(int(fault), {"message": "planned"})
            return
        data = depot.files[name]
        found = re.fullmatch(r"bytes=(\d+)-", wanted or "") if fault != "whole" else None
        start = int(found[1]) if found else 0
        body = data[start:]
        if fault.startswith("cut"):
            body, self.close_connection = body[: int(fault.split()[1])], True
        depot.asked.append(Asked(name, wanted, len(body)))  # before the client can ask again, for their order
        self.send_response(206 if found else 200)
        if found:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        if depot.has_tags:
            self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        half = len(body) // 2 if fault == "hold" else len(body)
        with contextlib.suppress(OSError):  # the other side may have gone
            self.wfile.write(body[:half])
            if fault == "hold":
                self.wfile.flush()
                depot.held.set()
                depot.go.wait(30)
                self.wfile.write(body[half:])

    def _stream(self) -> None:
        """Without a length: a cut looks like an end."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        stream = self.server.streams.pop(0)
        if not self.server.streams:
            self.server.state = self.server.ends_as
        self.wfile.write(stream)
        self.close_connection = True

    def _page(self, start: int) -> dict[str, Any]:
        depot = self.server
        if start == 0:
            depot.listings += 1
        names = list(depot.files)
        page = names[start : start + depot.page_size]
        key = "0" if depot.gives_old_addresses else depot.key
        more = start + depot.page_size < len(names)
        return {
            "files": [{"url": f"{depot.url}/files/{quote(name)}?key={key}", "fileName": name} for name in page],
            "log": json.dumps(depot.log),
            "nextPageToken": str(start + depot.page_size) if more else "",
        }

    def _json(self, status: int, data: dict[str, Any]) -> None:
        content = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Keeps quiet."""


def summary_of(run_id: str) -> bytes:
    """The metrics.json of a run."""
    return json.dumps({"run_id": run_id, "digest": "sha256:0", "metrics": []}).encode()
