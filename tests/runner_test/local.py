"""What many tests need of a local Kaggle; requests are sent with Kaggle's own client."""

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import pytest
import requests
from kagglesdk.kaggle_env import KaggleEnv
from kagglesdk.kaggle_http_client import KaggleHttpClient
from kagglesdk.kernels.services.kernels_api_service import KernelsApiClient
from kagglesdk.kernels.types.kernels_api_service import (
    ApiGetKernelSessionStatusRequest,
    ApiListKernelSessionOutputRequest,
    ApiSaveKernelRequest,
)

from runner_test.sessions.log import lines_from
from runner_test.settings import Settings
from runner_test.state import NewVersion, Reference, Version
from runner_test.store import Store

# A script that runs until the test lets it end.
WAITS_FOR_GO = """
import os, time
print("ready", os.getpid(), flush=True)
while not os.path.exists("go"):
    time.sleep(0.01)
print("gone", flush=True)
"""

# Sessions that are not isolated, so that tests see their processes and files (isolated: test_isolation.py), and data
# sets that are ready at once.
PLAIN = Settings(isolation="none", dataset_seconds=0.0)

T = TypeVar("T")

Run: TypeAlias = Callable[..., tuple[int, str]]
"""Runs a script's text as a session in the foreground; the exit code and all output (sessions/conftest.py)."""


def eventually(look: Callable[[], T | None], what: str, seconds: float = 30.0) -> T:
    """The first true value of `look()`; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := look():
            return value
        time.sleep(0.01)
    raise AssertionError(f"not within {seconds} s: {what}")


def fill(request: Any, **fields: object) -> Any:
    """The request with its fields set."""
    for name, value in fields.items():
        setattr(request, name, value)
    return request


@dataclass(frozen=True)
class Local:
    """A running server and its store."""

    url: str
    store: Store

    @property
    def me(self) -> tuple[str, str]:
        """The name and the key of the user `me`."""
        return ("me", self.store.token())

    def http(self, user: str = "me", token: str | None = None) -> KaggleHttpClient:
        """Kaggle's HTTP client, signed in."""
        key = self.store.token()
        client = KaggleHttpClient(env=KaggleEnv.LOCAL, username=user, password=key, api_token=token)
        client._endpoint = self.url
        return client

    def api(self, user: str = "me", token: str | None = None) -> Any:
        """Kaggle's client for kernels, signed in."""
        return KernelsApiClient(self.http(user, token))

    def push(self, name: str, text: str, /, *, user: str = "me", **fields: Any) -> Any:
        """Push a script whose title matches the slug; returns the answer."""
        request = fill(
            ApiSaveKernelRequest(),
            slug=f"{user}/{name}",
            new_title=name.replace("-", " "),
            text=text,
            language="python",
            kernel_type="script",
        )
        return self.api(user).save_kernel(fill(request, **fields))

    def status(self, slug: str, label: str | None = None, *, user: str = "me") -> Any:
        """The answer with the status of a version, the newest without a label."""
        request = fill(ApiGetKernelSessionStatusRequest(), user_name=user, kernel_slug=slug, version_label=label)
        return self.api(user).get_kernel_session_status(request)

    def state(self, slug: str, label: str | None = None) -> str:
        """The state's name."""
        return str(self.status(slug, label).status.name)

    def reach(self, slug: str, *states: str, label: str | None = None) -> Any:
        """Wait until the session is in one of the states; returns the answer with its status."""
        eventually(lambda: self.state(slug, label) in states, f"{slug} {label or ''} is one of {states}")
        return self.status(slug, label)

    def run(self, slug: str, text: str, **fields: Any) -> Any:
        """Push and wait for the session's end; returns the answer with its status."""
        answer = self.push(slug, text, **fields)
        assert not answer.error
        return self.reach(slug, "COMPLETE", "ERROR", label=f"v{answer.version_number}")

    def output(self, slug: str, **fields: object) -> Any:
        """One page of the session's output."""
        request = fill(ApiListKernelSessionOutputRequest(), user_name="me", kernel_slug=slug)
        return self.api().list_kernel_session_output(fill(request, **fields))

    def log_text(self, slug: str, number: int = 1) -> str:
        """The text of a session's log so far, both streams together."""
        lines, _ = lines_from(self.store.paths(self.version(slug, number)).log, 0)
        return "".join(json.loads(line)["data"] for line in lines)

    def pid(self, slug: str, number: int = 1) -> int:
        """The process id of a waiting script, once it has printed it."""
        ready = eventually(lambda: re.search(r"ready (\d+)\n", self.log_text(slug, number)), f"{slug} runs")
        return int(ready[1])

    def version(self, slug: str, number: int = 1) -> Version:
        """The store's record of a version."""
        version = self.store.version(Reference("me", slug), number)
        assert version is not None
        return version

    def working(self, slug: str, number: int = 1) -> Path:
        """The working directory of a version's session."""
        return self.store.paths(self.version(slug, number)).working

    def go(self, slug: str, number: int = 1) -> None:
        """Let a waiting script continue."""
        (self.working(slug, number) / "go").touch()


def alive(pid: int) -> bool:
    """Whether the process runs (a zombie doesn't)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


def http_code(error: pytest.ExceptionInfo[requests.HTTPError]) -> int:
    """The HTTP status of the answer for which the client raised the error."""
    assert error.value.response is not None
    return error.value.response.status_code


def events(response: requests.Response) -> Iterator[str]:
    """The payloads of a stream of server-sent events."""
    for line in response.iter_lines():
        if line.startswith(b"data: "):
            yield line.removeprefix(b"data: ").decode()


def stream(local: Local, slug: str) -> requests.Response:
    """Connect to a kernel's live log."""
    url = f"{local.url}/api/v1/kernels/logs/stream/me/{slug}"
    return requests.get(url, stream=True, auth=local.me, timeout=30)


def new_version(source: str) -> NewVersion:
    """A push of `source` with default settings, for the kernel `me/shared`."""
    return NewVersion(
        title="shared",
        source=source,
        is_private=True,
        machine_shape="",
        timeout=60,
        enable_internet=False,
        keywords=(),
        dataset_sources=(),
        competition_sources=(),
        kernel_sources=(),
        docker_image="",
        kernel_type="script",
    )


def all_final(store: Store, reference: Reference) -> bool:
    """Whether every session of the kernel has ended."""
    versions = [store.version(reference, number) for number in store.numbers(reference)]
    return all(version is not None and store.progress(version).state.final for version in versions)


def notebook(*sources: str, **fields: Any) -> str:
    """A notebook with code cells, in the form that Kaggle accepts."""
    cells: list[dict[str, Any]] = [
        {
            "cell_type": "code",
            "id": f"c{number}",
            "metadata": {},
            "outputs": [],
            "execution_count": None,
            "source": source,
        }
        for number, source in enumerate(sources)
    ]
    cover = {"cell_type": "markdown", "id": "cover", "metadata": {}, "source": "# A title"}
    metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    document = {"cells": [cover, *cells], "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(document | fields)
