"""The target `kaggle` as whole commands: with credentials, and with a proxy that loses answers."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import re
import shutil
import sqlite3
import threading
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from runner_test.server import running_server
from runner_test.store import Store
from tests.coordinator.command import Coord, until
from tests.paths import SAMPLES

KEY = "0123456789abcdef" * 2  # a key like Kaggle's, made up here


class Proxy(ThreadingHTTPServer):
    """Forwards requests to a server, and replaces the next answer of the methods in `spoil`."""

    daemon_threads = True

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Forward)
        self.upstream = urlsplit(upstream)
        self.spoil: dict[str, str] = {}
        """Method -> its next answer: "cut", "html", a status code, or "echo" (the credentials that it got)."""
        self.seen: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Forward(BaseHTTPRequestHandler):
    server: Proxy

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        method = self.path.rpartition("/")[2]
        self.server.seen.append(method)
        headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
        fault = self.server.spoil.pop(method, None)
        if fault is not None and fault.isdigit():  # refused before it took effect
            self._answer(int(fault), b'{"code": %d, "message": "planned"}' % int(fault), "application/json")
            return
        if fault == "echo":
            words = f"you are {self.headers['Authorization']} ({_decoded(self.headers['Authorization'])})"
            self._answer(418, json.dumps({"code": 418, "message": words}).encode(), "application/json")
            return
        with contextlib.closing(http.client.HTTPConnection(self.server.upstream.netloc, timeout=30)) as upstream:
            upstream.request("POST", self.path, body=body, headers=headers)
            answer = upstream.getresponse()
            content = answer.read()
        if fault == "cut":  # it took effect, and the client does not get the answer
            self.connection.close()
        elif fault == "html":
            self._answer(200, b"<html><body>Too many requests</body></html>", "application/json")
        else:
            self._answer(answer.status, content, answer.headers.get("Content-Type", "application/json"))

    def _answer(self, status: int, content: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Prints nothing."""


def _decoded(authorization: str) -> str:
    return base64.b64decode(authorization.rpartition(" ")[2] + "==").decode("latin-1")


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    Store(tmp_path / "kaggle").token_file.write_text(KEY)
    with running_server(tmp_path / "kaggle") as server, Proxy(server.url) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield proxy
        proxy.shutdown()
        thread.join()
    assert proxy.spoil == {}, "a planned fault never happened"


@pytest.fixture
def coord(tmp_path: Path, proxy: Proxy) -> Coord:
    root = tmp_path / "tiny"
    shutil.copytree(SAMPLES / "tiny", root)
    variables = {"COORD_KAGGLE_ENDPOINT": proxy.url, "COORD_TARGET": "kaggle"}
    return Coord(root, {**os.environ, **variables, "KAGGLE_USERNAME": "ada", "KAGGLE_KEY": KEY})


def test_the_whole_way_over_the_kaggle_target(coord: Coord, proxy: Proxy) -> None:
    """The client of Kaggle at another address does all that the local target does."""
    pushed = coord("push", "--exp", "base", "--wait")
    assert pushed.stdout == f"http://127.0.0.1:{proxy.upstream.port}/code/ada/tiny-base\n"
    assert coord.states() == ["complete"]
    assert "0.7550" in coord("fetch-results").stdout
    assert (coord.root / "results" / "base" / "kaggle-v1" / "metrics.json").is_file()
    assert proxy.seen.count("SaveKernel") == 1


def test_a_push_whose_answer_is_lost_is_adopted_not_repeated(coord: Coord, proxy: Proxy) -> None:
    """The version exists, but the answer was lost: it is found by the run id in its source, and the push goes on."""
    proxy.spoil["SaveKernel"] = "cut"
    pushed = coord("push", "--exp", "base", "--wait")
    assert pushed.stdout.endswith("/code/ada/tiny-base\n")
    assert "asking kaggle whether the push arrived" in pushed.stderr
    assert "it did: base kaggle-v1" in pushed.stderr
    assert [(run["state"], run["version"]) for run in coord.json("status")] == [("complete", 1)]
    coord("fetch-results", "--exp", "base")
    assert proxy.seen.count("SaveKernel") == 1


def test_an_expired_token_is_not_taken_for_a_push_that_never_arrived(coord: Coord, proxy: Proxy) -> None:
    """Kaggle answers a missing kernel and an expired token with 403: the run stays open until it is known which."""
    proxy.spoil.update({"SaveKernel": "cut", "GetKernel": "403", "ListKernels": "403"})
    lost = coord("push", "--exp", "base", code=1)
    assert "it is not known whether the push took effect" in lost.stderr
    assert "coord status" in lost.stderr
    proxy.spoil.update({"GetKernel": "403", "ListKernels": "403"})
    assert "your token has expired" in coord("status", code=1).stderr
    until(lambda: coord.states() == ["complete"], "the end of the run, with a valid token again")
    assert proxy.seen.count("SaveKernel") == 1


@pytest.mark.parametrize(
    ("fault", "code", "message"),
    [
        ("400", 1, "kaggle refused with HTTP 400: planned"),
        ("401", 1, "did not accept the credentials from KAGGLE_USERNAME and KAGGLE_KEY"),
        ("403", 1, 'Your token is valid. Is "ada" its user'),
        ("429", 75, "asks to slow down"),
    ],
)
def test_a_refused_push(coord: Coord, proxy: Proxy, fault: str, code: int, message: str) -> None:
    """Each refusal has its message, its hint and its exit code."""
    proxy.spoil["SaveKernel"] = fault
    done = coord("push", "--exp", "base", code=code)
    assert message in done.stderr
    assert done.stdout == ""


def test_reads_are_repeated(coord: Coord, proxy: Proxy) -> None:
    """A read that fails once is repeated; nothing is shown of it, except with -v, which shows each request."""
    coord.here("push", "--exp", "slow")  # of a run that has ended nothing would be asked
    for arguments, shown in ((["status"], False), (["-v", "status"], True)):
        proxy.spoil["GetKernelSessionStatus"] = "503"
        done = coord.here(*arguments)
        lines = [line for line in done.stderr.splitlines() if "/GetKernelSessionStatus " in line]
        assert bool(lines) is shown
    first, second = (line for line in lines if " ms " in line)
    path = "POST /api/v1/kernels.KernelsApiService/GetKernelSessionStatus"
    assert re.fullmatch(rf"{path} down: 503: planned [0-9]+ ms \(try 1\)", first)
    assert re.fullmatch(rf"{path} 200 [0-9]+ ms \(try 2\)", second)
    (root,) = coord.root.parent.glob("kaggle/kernels/ada/tiny-slow/versions/1/kaggle")
    (root / "go").touch()
    until(lambda: coord.states() == ["complete"], "the end of the session")


def test_the_secret_is_nowhere(coord: Coord, proxy: Proxy, caplog: pytest.LogCaptureFixture) -> None:
    """However a command ends, and whatever the server sends: the secret is in no output, log, ledger or file."""
    caplog.set_level("DEBUG")
    token = "made-up-token-" + KEY
    pair = base64.b64encode(f"ada:{KEY}".encode()).decode()
    outputs = []

    def run(code: int, *arguments: str, **spoil: str) -> None:
        proxy.spoil.update(spoil)
        done = coord.here("--verbose", *arguments, code=code)
        tracebacks = "".join(traceback.format_exception(done.exception)) if done.exception else ""
        outputs.append(done.stdout + done.stderr + tracebacks)

    push: tuple[str, ...] = ("push", "--exp", "base")
    run(1, *push, SaveKernel="echo")
    assert "kaggle refused with HTTP 418: you are Basic *** (ada:***)" in outputs[-1]
    for fault, code in (("401", 1), ("403", 1), ("429", 75)):
        run(code, *push, SaveKernel=fault)
    run(1, *push, SaveKernel="cut", GetKernel="echo")
    run(1, "status", GetKernel="echo")
    for fault, code in (("echo", 1), ("401", 1), ("html", 0)):
        run(code, "status", GetKernelSessionStatus=fault)
    until(lambda: coord.states() == ["complete", *["refused"] * 4], "the end of the session")
    run(1, "logs", ListKernelSessionOutput="echo")
    run(1, "fetch-results", ListKernelSessionOutput="echo")
    run(0, "fetch-results")
    coord.environment["KAGGLE_API_TOKEN"] = token  # type: ignore[index]  # a plain dict in this file
    push = (*push, "--force")  # though it is complete
    run(1, *push, SaveKernel="echo")
    assert "HTTP 418: you are Bearer ***" in outputs[-1]
    coord.environment["KAGGLE_API_TOKEN"] = f"{token}\nand more"  # type: ignore[index]
    run(1, *push)

    assert "POST /api/v1/kernels.KernelsApiService/SaveKernel" in caplog.text
    for secret in (KEY, pair, token):
        assert secret not in caplog.text
        assert not any(secret in output for output in outputs)
        for file in coord.root.rglob("*"):
            if file.is_file():
                assert secret.encode() not in file.read_bytes(), file


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"KAGGLE_USERNAME": "eve"}, '[tool.coord] owner is "ada", but the credentials from'),
        ({"COORD_KAGGLE_ENDPOINT": "http://kaggle.example"}, "over https only"),
        ({"COORD_KAGGLE_ENDPOINT": "kaggle"}, "is not an address"),
        ({"COORD_KAGGLE_ENDPOINT": "http://127.0.0.1:9"}, "no connection to http://127.0.0.1:9: Connection refused"),
    ],
)
def test_settings_that_cannot_work(coord: Coord, variables: dict[str, str], message: str) -> None:
    """They are found before a kernel is created, or reported in one line."""
    coord.environment.update(variables)  # type: ignore[attr-defined]  # a plain dict in this file
    assert message in coord.here("push", "--exp", "base", code=1).stderr


def test_missing_credentials(coord: Coord) -> None:
    """Three lines of advice: make a token, save it, or use the local target."""
    coord.environment.pop("KAGGLE_KEY")  # type: ignore[attr-defined]  # a plain dict in this file
    done = coord("push", "--exp", "base", code=1)
    first, *advice = done.stderr.splitlines()
    assert first == "coord: no Kaggle credentials found"
    assert len(advice) == 3
    assert "--target local" in advice[2]


def test_status_shows_what_it_knows_when_kaggle_is_away(coord: Coord, proxy: Proxy) -> None:
    """The table shows the last known states, stderr the failure, and the exit code is 1."""
    coord("push", "--exp", "slow")
    away = Coord(coord.root, {**coord.environment, "COORD_KAGGLE_ENDPOINT": "http://127.0.0.1:9"})
    done = away.here("status", code=1)
    assert "slow" in done.stdout
    assert "no connection" in done.stderr
    (proxy_root,) = coord.root.parent.glob("kaggle/kernels/ada/tiny-slow/versions/1/kaggle")
    (proxy_root / "go").touch()
    until(lambda: coord.states() == ["complete"], "the end of the session")


def test_a_result_of_another_run_is_not_recorded(coord: Coord) -> None:
    """metrics.json names the run that wrote it; a file of another run is refused."""
    coord("push", "--exp", "base", "--wait")
    with sqlite3.connect(coord.root / ".coord" / "ledger.sqlite") as ledger:
        ledger.execute("UPDATE runs SET id = 'somethingelse'")
    ledger.close()
    done = coord("fetch-results", "--exp", "base", code=1)
    assert "not from somethingelse" in done.stderr
    assert json.loads(coord("status", "--json").stdout)[0]["summary"] is None
