"""The client of Ray's Jobs API, with a head that answers anything: each call ends with a value or a short message."""

from __future__ import annotations

import http.server
import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from coordinator.errors import Later, NoAnswer, NotSent, TargetError
from coordinator.target.ray.jobs import Jobs

Answer = tuple[int, str]
JOB = {"submission_id": "r1", "status": "RUNNING", "message": "first\nsecond \x1b[31m", "start_time": 5000}
NODE = {"node_id": "ab", "state": "ALIVE", "resources_total": {"CPU": 8.0, "GPU": 2.0, "name": "x"}}


class Head:
    """Answers of a head, by method and path; each request's body is kept."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.bodies: list[Any] = []
        self.address = ""


@pytest.fixture
def head() -> Iterator[Head]:
    found = Head()

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self) -> None:
            text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            found.bodies.append(json.loads(text) if text else None)
            status, answer = found.answers.get(f"{self.command} {self.path.partition('?')[0]}", (404, "none"))
            self.send_response(status)
            self.send_header("Location", "http://127.0.0.1:9/elsewhere")
            self.end_headers()
            self.wfile.write(answer.encode())

        do_GET = do_POST = answer

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield found
        server.shutdown()
        thread.join()


@pytest.fixture
def jobs(head: Head) -> Iterator[Jobs]:
    found = Jobs(head.address)
    yield found
    found.close()


def test_a_job_is_a_value(head: Head, jobs: Jobs) -> None:
    head.answers["GET /api/jobs/r1"] = (200, json.dumps({**JOB, "metadata": {"coord": '{"GPU": 1}'}}))
    found = jobs.job("r1")
    assert found is not None
    assert (found.status, found.message, found.begun, found.asks) == ("RUNNING", "first", 5.0, {"GPU": 1.0})
    assert jobs.job("../r2") is None


def test_a_job_is_handed_over_with_what_it_asks_for(head: Head, jobs: Jobs) -> None:
    head.answers["POST /api/jobs/"] = (200, "{}")
    jobs.submit("r1", "true", {"CPU": 2, "GPU": 1, "memory": 1 << 30, "t4": 1}, {"A": "b"})
    (body,) = head.bodies
    assert body["entrypoint_num_gpus"] == 1
    assert body["entrypoint_memory"] == 1 << 30
    assert body["entrypoint_resources"] == {"t4": 1}
    assert body["runtime_env"] == {"env_vars": {"A": "b"}}
    assert json.loads(body["metadata"]["coord"])["CPU"] == 2


@pytest.mark.parametrize(
    ("answer", "is_known", "error"),
    [
        ((500, "ValueError: RayJob with submission_id r1 already exists."), True, None),
        ((500, "Traceback ...\nRuntimeError: lost"), False, NoAnswer),
        ((500, "No available agent to submit job, please try again later."), False, Later),
        ((400, "TypeError: entrypoint_num_gpus must be a number"), False, TargetError),
        ((302, ""), False, NoAnswer),
    ],
)
def test_what_becomes_of_a_job(
    head: Head, jobs: Jobs, answer: Answer, is_known: bool, error: type[Exception] | None
) -> None:
    head.answers["POST /api/jobs/"] = answer
    if is_known:
        head.answers["GET /api/jobs/r1"] = (200, json.dumps(JOB))
    if error is None:
        jobs.submit("r1", "true", {}, {})
        return
    with pytest.raises(error) as failed:
        jobs.submit("r1", "true", {}, {})
    assert failed.type is error


def test_the_machines_with_what_is_used(head: Head, jobs: Jobs) -> None:
    rows = [NODE, {**NODE, "node_id": "cd"}, {**NODE, "state": "DEAD"}, "x"]
    used = {"clusterStatus": {"loadMetricsReport": {"usageByNode": {"ab": {"CPU": [3.0, 8.0], "odd": 1}}}}}
    head.answers["GET /api/v0/nodes"] = (200, json.dumps({"data": {"result": {"result": rows}}}))
    head.answers["GET /api/cluster_status"] = (200, json.dumps({"data": used}))
    first, second = jobs.nodes()
    assert (first.total, first.used) == ({"CPU": 8.0, "GPU": 2.0}, {"CPU": 3.0})
    assert second.used == {}
    head.answers["GET /api/cluster_status"] = (200, '{"data": {"clusterStatus": null}}')  # as a new head says
    assert [node.used for node in jobs.nodes()] == [{}, {}]


CALLS: list[Callable[[Jobs], object]] = [lambda jobs: jobs.job("r1"), Jobs.jobs, Jobs.nodes, Jobs.version]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "answer",
    [(200, "<html>"), (200, "[" * 100_000), (200, "7"), (401, "who?"), (302, ""), (500, "a\nb"), (200, '"' + "x" * 99)],
)
def test_answers_that_are_none_are_short_errors(
    head: Head, jobs: Jobs, call: Callable[[Jobs], object], answer: Answer
) -> None:
    for path in ("/api/jobs/r1", "/api/jobs/", "/api/v0/nodes", "/api/cluster_status", "/api/version"):
        head.answers[f"GET {path}"] = answer
    with pytest.raises(TargetError) as failed:
        call(jobs)
    assert "\n" not in failed.value.what


def test_a_head_that_is_not_there() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        jobs = Jobs(f"http://127.0.0.1:{nobody.getsockname()[1]}")
        with pytest.raises(NotSent, match="no connection"):
            jobs.job("r1")
    jobs.close()


def test_a_connection_that_is_lost_may_have_carried_the_job() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        jobs = Jobs(f"http://127.0.0.1:{server.getsockname()[1]}")

        def hang_up() -> None:
            connection, _ = server.accept()
            connection.recv(1)
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(NoAnswer) as failed:
            jobs.submit("r1", "true", {}, {})
        thread.join()
    assert not isinstance(failed.value, NotSent)
    jobs.close()
