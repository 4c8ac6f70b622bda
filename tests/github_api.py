"""A small stand-in for GitHub's REST API: the comments of the pull requests of one repository, over HTTP."""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

_LONGEST = 65_536


@dataclass
class GitHub:
    """What is there, and who may write."""

    token: str = "a-token-of-github"
    may_write: bool = True
    comments: list[dict[str, Any]] = field(default_factory=list)
    """Of pull request 7 of ada/titanic."""
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def add(self, body: str) -> dict[str, Any]:
        number = 1000 + len(self.comments)
        page = f"https://github.com/ada/titanic/pull/7#issuecomment-{number}"
        self.comments.append({"id": number, "body": body, "html_url": page})
        return self.comments[-1]


@contextlib.contextmanager
def running_github() -> Iterator[GitHub]:
    """Serves on a free port of the loopback until the end of the block."""
    there = GitHub()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            self._handle()

        do_POST = do_PATCH = do_GET

        def _handle(self) -> None:
            there.asked.append(f"{self.command} {self.path}")
            content = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "{}")
            code, answer, next_page = _answer(there, self.command, self.path, self.headers["Authorization"], content)
            data = json.dumps(answer).encode()
            self.send_response(code)
            if next_page:
                self.send_header("Link", f'<{there.url}{next_page}>; rel="next"')
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    there.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield there
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _answer(there: GitHub, method: str, path: str, token: str | None, content: dict[str, Any]) -> tuple[int, Any, str]:
    """The status, the JSON, and the path of the next page."""
    if token != f"Bearer {there.token}":
        return 401, {"message": "Bad credentials"}, ""
    split = urlsplit(path)
    if method != "GET" and not there.may_write:
        return 403, {"message": "Resource not accessible by integration"}, ""
    if len(content.get("body", "")) > _LONGEST:
        return 422, {"message": "Validation Failed"}, ""
    if split.path == "/repos/ada/titanic/issues/7/comments":
        if method == "POST":
            return 201, there.add(content["body"]), ""
        query = {name: int(values[0]) for name, values in parse_qs(split.query).items()}
        size, page = query.get("per_page", 30), query.get("page", 1)
        found = there.comments[(page - 1) * size : page * size]
        more = f"{split.path}?per_page={size}&page={page + 1}" if page * size < len(there.comments) else ""
        return 200, found, more
    one = re.fullmatch(r"/repos/ada/titanic/issues/comments/(\d+)", split.path)
    for comment in there.comments:
        if one and method == "PATCH" and comment["id"] == int(one[1]):
            comment["body"] = content["body"]
            return 200, comment, ""
    return 404, {"message": "Not Found"}, ""
