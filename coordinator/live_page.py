"""Where the live page of `coord ui` is, if it is open: its address, and that of each run on it.

The server writes its port into a file of the project. A file that a killed server left is recognized: nothing answers
there with its key.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from coordinator.files import write_atomically
from coordinator.ledger import Run
from coordinator.project import Project

KEY_PATH = "/key"
"""Where the server answers with the key, so that another server that has got the port is not taken for it."""
_PATIENCE = 2.0  # seconds; it is on this machine


@dataclass(frozen=True)
class LivePage:
    """A server of the live page."""

    port: int
    pid: int
    key: str
    """Random, of this server; it gives no rights."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def address(self, run_id: str) -> str:
        """The run's address on the page."""
        return f"{self.url}runs/{run_id}"


def address_of(run: Run, page: LivePage | None) -> str:
    """The address to print for a run: its own on its target, or else that on the live page; empty without any."""
    return run.url or (page.address(run.id) if page else "")


def addressed(item: dict[str, Any], page: LivePage | None) -> dict[str, Any]:
    """The JSON of a run with `address_of` as its `url`."""
    return item if item["url"] or page is None else item | {"url": page.address(item["id"])}


def listening(project: Project) -> LivePage | None:
    """The project's live page, if its server answers now."""
    try:
        said = json.loads(project.live_page.read_text(encoding="utf-8"))
        page = LivePage(port=int(said["port"]), pid=int(said["pid"]), key=str(said["key"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return page if _answers(page) else None


@contextlib.contextmanager
def announced(project: Project, port: int) -> Iterator[LivePage]:
    """Makes the server of this process, on that port, known while the context is open."""
    page = LivePage(port, os.getpid(), os.urandom(8).hex())
    project.state.mkdir(parents=True, exist_ok=True)
    write_atomically(project.live_page, json.dumps(asdict(page)) + "\n")
    try:
        yield page
    finally:
        project.live_page.unlink(missing_ok=True)


def _answers(page: LivePage) -> bool:
    from http.client import HTTPConnection, HTTPException  # only where there is a file of a server

    connection = HTTPConnection("127.0.0.1", page.port, timeout=_PATIENCE)
    try:
        connection.request("GET", KEY_PATH)
        return connection.getresponse().read(64) == page.key.encode()
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
