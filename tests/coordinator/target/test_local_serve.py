"""`coord local serve`: other clients, the official `kaggle` command unmodified, see the same local Kaggle."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.coordinator.command import Coord, until

KAGGLE = Path(sys.executable).with_name("kaggle")


@pytest.fixture
def port(coord: Coord) -> Iterator[int]:
    """The port of a `coord local serve` that Ctrl-C ends with exit code 0."""
    port = _free_port()
    server = coord.start("local", "serve", "--port", str(port))
    try:
        until(lambda: _answers(port), "the server's start")
        yield port
    finally:
        server.send_signal(signal.SIGINT)
        _, stderr = server.communicate(timeout=20)
    assert server.returncode == 0, stderr
    assert "Traceback" not in stderr


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _kaggle(port: int, cwd: Path, *arguments: str, **variables: str) -> str:
    """The official command, for the user ada; `cwd` is the project's folder."""
    environment = os.environ | {
        "KAGGLE_API_ENVIRONMENT": "LOCALHOST",
        "http_proxy": f"http://127.0.0.1:{port}",
        "KAGGLE_USERNAME": "ada",
        "KAGGLE_KEY": (cwd / ".coord/local-kaggle/token").read_text(),
        **variables,
    }
    done = subprocess.run(
        [str(KAGGLE), *arguments], cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_official_command_does_its_round(coord: Coord, port: int, tmp_path: Path) -> None:
    """push, status, logs, output, list and pull with the public package, of what `coord build` made."""
    coord("build", "--exp", "base")
    pushed = _kaggle(port, coord.root, "kernels", "push", "-p", "build/base")
    assert "Kernel version 1 successfully pushed" in pushed
    ended = until(
        lambda: "COMPLETE" in _kaggle(port, coord.root, "kernels", "status", "ada/tiny-base"), "the session's end"
    )
    assert ended
    assert "a word from the package data" in _kaggle(port, coord.root, "kernels", "logs", "ada/tiny-base")
    out = tmp_path / "out"
    _kaggle(port, coord.root, "kernels", "output", "ada/tiny-base", "-p", str(out))
    assert {"metrics.json", "oof.csv", "submission.csv", "tiny-base.log"} <= {path.name for path in out.iterdir()}
    assert "ada/tiny-base" in _kaggle(port, coord.root, "kernels", "list", "--mine")
    pulled = tmp_path / "pulled"
    _kaggle(port, coord.root, "kernels", "pull", "ada/tiny-base", "-p", str(pulled), "-m")
    assert (pulled / "tiny-base.py").read_bytes() == (coord.root / "build" / "base" / "kernel.py").read_bytes()


def test_what_is_printed_is_all_that_a_client_needs(coord: Coord) -> None:
    """The line for the kaggle command, pasted into a shell without a proxy for localhost, and the browser's address."""
    shell = dict(os.environ) | {"NO_PROXY": "localhost,127.0.0.1"}
    server = Coord(coord.root, {**coord.environment, **shell}).start("local", "serve", "--port", "0")
    assert server.stdout is not None
    try:
        answers, page, line = (server.stdout.readline() for _ in range(3))
        assert "only to clients that have its token" in answers
        command = f"{line.partition(':')[2]}\n{KAGGLE} kernels list --mine"
        done = subprocess.run(
            ["sh", "-c", command], cwd="/", env=shell, capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode, done.stdout) == (0, "Not found\n"), done.stderr
        assert "No kernels yet" in requests.get(page.split()[-1], timeout=10).text
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=20)
    key = (coord.root / ".coord/local-kaggle/token").read_text()
    assert (key in page, key in line) == (True, False)


def test_a_port_that_is_taken(coord: Coord, port: int) -> None:
    """One line says so."""
    done = coord("local", "serve", "--port", str(port), code=1)
    assert f"can't listen on 127.0.0.1, port {port}" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_planned_faults_happen_or_are_told(coord: Coord, tmp_path: Path) -> None:
    """A plan's fault meets the official command; what never happened is named in the end, with exit code 1.

    Also where the end is a `kill`, as in a script.
    """
    plan = tmp_path / "plan.json"
    faults = [{"method": "ListKernels", "fault": "status", "status": 502}, {"method": "SaveKernel", "fault": "reset"}]
    plan.write_text(json.dumps({"faults": faults}))
    port = _free_port()
    server = coord.start("local", "serve", "--port", str(port), "--faults", str(plan), "--url-lifetime", "60")
    try:
        until(lambda: _answers(port), "the server's start")
        with pytest.raises(AssertionError, match="planned"):
            _kaggle(port, coord.root, "kernels", "list", "--mine")
    finally:
        server.send_signal(signal.SIGTERM)
        _, stderr = server.communicate(timeout=20)
    assert server.returncode == 1
    assert "reset before it takes effect, SaveKernel call 1: happened 0 times in 0 calls" in stderr
    assert "ListKernels" not in stderr


def test_a_plan_that_is_none(coord: Coord, tmp_path: Path) -> None:
    """One line says so, and nothing is served."""
    done = coord("local", "serve", "--faults", str(tmp_path / "none.json"), code=1)
    assert "none.json can't be read" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "can't work for nan seconds" in coord.here("local", "serve", "--url-lifetime", "nan", code=1).stderr


def test_a_competition_that_scores(coord: Coord, tmp_path: Path) -> None:
    """`add-competition --solution` takes the project's scorer; it says so where there is none."""
    solution = tmp_path / "solution.csv"
    solution.write_text("id,label\na,1\nb,2\n")
    (tmp_path / "data").mkdir()
    command = ("local", "add-competition", "siim", str(tmp_path / "data"), "--solution", str(solution))
    assert "pyproject.toml names no scorer" in coord(*command, code=2).stderr
    settings = coord.root / "pyproject.toml"
    settings.write_text(settings.read_text().replace("[tool.coord]\n", '[tool.coord]\nscorer = "tiny:score"\n', 1))
    assert "No module named 'tiny'" in coord(*command, code=2).stderr
    (coord.root / "tiny.py").write_text("def score(submission, solution, ids):\n    return float(len(ids))\n")
    unused = coord.here("local", "add-competition", "siim", str(tmp_path / "data"), "--code-only", code=2)
    assert "--code-only" in unused.stderr
    assert "scored by tiny:score" in coord(*command, "--daily-limit", "2", "--code-only").stderr
    rules = json.loads((coord.root / ".coord/local-kaggle/competition-rules/siim/rules.json").read_text())
    assert (rules["daily_limit"], rules["kernels_only"], rules["project"]) == (2, True, str(coord.root))


def test_both_see_the_same_kernels_and_pages(coord: Coord, port: int) -> None:
    """What coord pushed, the official command finds, also by the token's file, which is the project's owner's.

    The URL of the run is a page that a browser can show.
    """
    coord("push", "--exp", "base", "--wait")
    token = {"KAGGLE_API_TOKEN": ".coord/local-kaggle/token", "KAGGLE_USERNAME": "", "KAGGLE_KEY": ""}
    assert "COMPLETE" in _kaggle(port, coord.root, "kernels", "status", "ada/tiny-base", **token)
    key = (coord.root / ".coord/local-kaggle/token").read_text()
    page = requests.get(f"http://127.0.0.1:{port}/code/ada/tiny-base", auth=("ada", key), timeout=10)
    assert "tiny base" in page.text
