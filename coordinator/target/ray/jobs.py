"""Ray's Jobs API, and what its head says about the machines: plain HTTP, and values.

A job's submission id is the run's id. Its metadata says what it asks for, because the API tells nobody else.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import requests
import urllib3

from coordinator.errors import Later, NoAnswer, NotSent, TargetError
from coordinator.target.addresses import is_loopback
from coordinator.text import clean

Amounts = Mapping[str, float]
"""Of Ray's resources, by name: CPU, GPU, memory (bytes), and a cluster's own."""

ENDED = ("SUCCEEDED", "FAILED", "STOPPED")
_METADATA = "coord"
_NOT_STARTED = "No available agent"  # of the answer, with HTTP 500, before the head's node is there
_TIME_OUT = (10.0, 60.0)  # seconds to connect, and for each piece of the answer
_ANSWER_MAX = 1 << 26  # bytes
_SHOWN = 500  # characters


@dataclass(frozen=True)
class RayJob:
    """A job as the head knows it."""

    id: str
    status: str
    """PENDING, RUNNING, SUCCEEDED, FAILED or STOPPED."""
    message: str
    """The first line of what the head says about it."""
    code: int | None
    """The exit code of its program."""
    begun: float
    """When it was submitted, in seconds since 1970 by the head's clock."""
    asks: Amounts | None
    """What it asks for; None for a job that is not coord's."""

    @property
    def is_over(self) -> bool:
        return self.status in ENDED


@dataclass(frozen=True)
class Node:
    """A machine of the cluster."""

    total: Amounts
    used: Amounts
    """As of a few seconds ago."""


class Jobs:
    """The head at an address. Its methods raise NotSent, NoAnswer or TargetError."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._session = requests.Session()
        self._session.trust_env = not is_loopback(address)  # no proxy for this machine

    def close(self) -> None:
        self._session.close()

    def version(self) -> str:
        """Ray's version."""
        return _line(self._get("/api/version").get("ray_version"))

    def job(self, id: str) -> RayJob | None:
        """The job of that id; None if the head knows none."""
        status, text = self._send("GET", _path(id))
        return None if status == 404 else _job(self._object(status, text))

    def jobs(self) -> list[RayJob]:
        """All jobs that were submitted with this API."""
        found = self._parsed(*self._send("GET", "/api/jobs/"))
        if not isinstance(found, list):
            raise self._unusable()
        return [_job(each) for each in found if isinstance(each, dict) and each.get("submission_id")]

    def submit(self, id: str, entrypoint: str, asks: Amounts, variables: Mapping[str, str]) -> None:
        """Hands a job over, which is there afterwards, also if it was before. Raises Later if the head is not ready."""
        others = {name: value for name, value in asks.items() if name not in ("CPU", "GPU", "memory")}
        body = {
            "submission_id": id,
            "entrypoint": entrypoint,
            "entrypoint_num_cpus": asks.get("CPU", 0),
            "entrypoint_num_gpus": asks.get("GPU", 0),
            "entrypoint_memory": int(asks.get("memory", 0)),
            "entrypoint_resources": others or None,
            "runtime_env": {"env_vars": dict(variables)},
            "metadata": {_METADATA: json.dumps(dict(asks))},
        }
        status, text = self._send("POST", "/api/jobs/", body)
        if status == 200:
            return
        if status == 500 and _NOT_STARTED in text:
            raise Later(
                f"{self.address} takes no jobs yet: {_line(text)}", hint="Its head is starting: try again soon."
            )
        if status == 400:
            raise TargetError(f"{self.address} refused the job: {_last_line(text)}")
        # Also the answer for an id that is known, with a traceback.
        if self.job(id) is None:
            raise NoAnswer(f"{self.address} failed with HTTP {status}: {_last_line(text)}")

    def stop(self, id: str) -> None:
        """Asks a job to end; one that is unknown, or has ended, is left alone."""
        status, text = self._send("POST", f"{_path(id)}/stop", {})
        if status not in (200, 404):
            raise NoAnswer(f"{self.address} failed with HTTP {status}: {_last_line(text)}")

    def nodes(self) -> list[Node]:
        """The machines that are there."""
        data = _inner(self._get("/api/v0/nodes?detail=1&limit=10000"), "data", "result")
        rows = data.get("result")
        # Of the autoscaler, which need not have said anything yet. Its keys are in camel case, also those of resources.
        status = _inner(self._get("/api/cluster_status"), "data", "clusterStatus", "loadMetricsReport")
        used = _inner(status, "usageByNode")
        return [
            Node(_amounts(row.get("resources_total")), _used(used.get(str(row.get("node_id")))))
            for row in (rows if isinstance(rows, list) else [])
            if isinstance(row, dict) and row.get("state") == "ALIVE"
        ]

    def _get(self, path: str) -> Mapping[str, Any]:
        return self._object(*self._send("GET", path))

    def _object(self, status: int, text: str) -> Mapping[str, Any]:
        found = self._parsed(status, text)
        if not isinstance(found, dict):
            raise self._unusable()
        return found

    def _unusable(self) -> NoAnswer:
        return NoAnswer(f"{self.address}: its answer is not usable")

    def _parsed(self, status: int, text: str) -> Any:
        if status in (401, 403):
            hint = "coord sends no token: give it an address that needs none, such as the end of an ssh tunnel."
            raise TargetError(f"{self.address} does not let coord in: HTTP {status}", hint=hint)
        if status != 200:
            raise NoAnswer(f"{self.address} failed with HTTP {status}: {_last_line(text)}")
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise NoAnswer(f"{self.address}: its answer is no JSON: is that the head of a Ray cluster?") from None

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, str]:
        """(HTTP status, text) of an answer."""
        try:
            with self._answer(method, path, body) as answer:
                read = bytearray()
                for piece in answer.iter_content(1 << 16):
                    read += piece
                    if len(read) > _ANSWER_MAX:
                        raise NoAnswer(f"{self.address}: its answer is longer than {_ANSWER_MAX >> 20} MiB")
        except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
            if _is_unsent(error):
                hint = "Is the head running, and the address right? An address behind ssh needs a tunnel: ssh -L"
                raise NotSent(f"no connection to {self.address}", hint=hint) from None
            raise NoAnswer(f"no answer from {self.address} ({type(error).__name__})") from None
        return answer.status_code, bytes(read).decode("utf-8", "replace")

    @contextlib.contextmanager
    def _answer(self, method: str, path: str, body: Mapping[str, Any] | None) -> Iterator[requests.Response]:
        with self._session.request(
            method, self.address + path, json=body, timeout=_TIME_OUT, stream=True, allow_redirects=False
        ) as answer:
            yield answer


def _is_unsent(error: Exception) -> bool:
    """Whether there was no connection. A connection that was lost may have carried the request."""
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    unsent = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
    return isinstance(error, requests.ConnectTimeout) or isinstance(reason, unsent)


def _path(id: str) -> str:
    return f"/api/jobs/{quote(id, safe='')}"


def _job(found: Mapping[str, Any]) -> RayJob:
    metadata, code, begun = found.get("metadata"), found.get("driver_exit_code"), found.get("start_time")
    asks = None
    if isinstance(metadata, dict) and isinstance(metadata.get(_METADATA), str):
        try:
            asks = _amounts(json.loads(metadata[_METADATA]))
        except (ValueError, RecursionError):
            asks = {}
    return RayJob(
        id=str(found.get("submission_id")),
        status=str(found.get("status")),
        message=_line(found.get("message")),
        code=code if isinstance(code, int) else None,
        begun=begun / 1000 if isinstance(begun, int | float) else 0.0,
        asks=asks,
    )


def _amounts(found: object) -> Amounts:
    if not isinstance(found, dict):
        return {}
    return {str(name): float(value) for name, value in found.items() if isinstance(value, int | float)}


def _used(found: object) -> Amounts:
    """From {"CPU": [used, total]}."""
    pairs = found.items() if isinstance(found, dict) else ()
    return _amounts({name: pair[0] for name, pair in pairs if isinstance(pair, list) and pair})


def _inner(found: object, *names: str) -> Mapping[str, Any]:
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _line(text: object) -> str:
    return clean(str(text or "")).strip().partition("\n")[0][:_SHOWN]


def _last_line(text: str) -> str:
    return next((line for each in reversed(text.splitlines()) if (line := _line(each))), "")
