"""`coord` with a real Ray cluster: its daily loop, its queue, lost answers, a head that is restarted, and a cancel."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import socketserver
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from coordinator.project import Project, RaySettings, find_project
from coordinator.results.folder import LOG_TEXT
from coordinator.target.ray import findings
from tests.clusters.engines import GPUS, RayHead
from tests.coordinator.command import Coord, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SAVES = """
import signal
import time
from pathlib import Path

def stopped(*_):
    time.sleep(4)  # longer than Ray's three seconds
    Path("saved").write_text("all of it")
    raise SystemExit(143)

signal.signal(signal.SIGTERM, stopped)
Path("begun").touch()
time.sleep(600)
"""
HOSTILE = ("-rf", " a space ", "$(id)", "&& echo x", "sub/..hidden", "é.csv")
LEAVES = f"""
import os
from pathlib import Path

Path("sub").mkdir()
for name in {HOSTILE!r}:
    Path(name).write_text(name)
Path("new\\nline").touch()
Path("\\x1b[31mred").touch()
os.symlink("/etc/passwd", "secret")
os.symlink("../../meta.json", "above")
os.mkfifo("pipe")
"""


@dataclass
class Lab:
    """The tiny project with a Ray cluster as the target `lab`."""

    coord: Coord
    head: RayHead
    root: Path

    def configure(self, *, address: str = "", **settings: object) -> None:
        """Writes the target's table."""
        values = {
            "kind": "ray",
            "address": address or self.head.address,
            "root": str(self.root),
            "python": sys.executable,
            "cpus": 0.5,
            "shapes": {"NvidiaTeslaT4": {"gpus": 1}},
            **settings,
        }
        file = self.coord.root / "pyproject.toml"
        before = file.read_text(encoding="utf-8").partition("\n[tool.coord.targets.lab]")[0]
        table = "".join(f"{name} = {_toml(value)}\n" for name, value in values.items())
        file.write_text(f"{before}\n[tool.coord.targets.lab]\n{table}", encoding="utf-8")

    def program(self, text: str) -> None:
        """Lets the experiments run this program."""
        (self.coord.root / "tiny_model" / "train.py").write_text(text, encoding="utf-8")

    def machine(self, experiment: str, shape: str) -> None:
        file = self.coord.root / "experiments" / f"{experiment}.yaml"
        file.write_text(file.read_text(encoding="utf-8") + f"kernel: {{machine_shape: {shape}}}\n", encoding="utf-8")

    def run(self, number: int = 0) -> dict[str, Any]:
        """A run as `coord status` shows it; 0 is the newest one."""
        found: dict[str, Any] = self.coord.json("status")[number]
        return found

    def wait(self, state: str) -> dict[str, Any]:
        found: dict[str, Any] = until(lambda: (run := self.run())["state"] == state and run, f"{state}: {self.run()}")
        return found

    def folder(self, slug: str, version: int = 1) -> Path:
        return self.root / "kernels" / "ada" / slug / f"v{version}"

    def go(self, slug: str, version: int = 1) -> None:
        """Lets the experiment `slow` end, once its program has begun."""
        kaggle = self.folder(slug, version) / "kaggle"
        until(kaggle.exists, "the program begins")
        (kaggle / "go").touch()

    def job(self, id: str) -> str | None:
        """The state of a job; None if the head does not know it."""
        answer = requests.get(f"{self.head.address}/api/jobs/{id}", timeout=60)
        return str(answer.json()["status"]) if answer.ok else None

    def occupy(self, **resources: float) -> str:
        """Submits a job of somebody else's that takes these resources, and returns its id when it has them."""
        body: dict[str, Any] = {"entrypoint": "sleep 600", **{f"entrypoint_num_{k}": v for k, v in resources.items()}}
        id = str(requests.post(f"{self.head.address}/api/jobs/", json=body, timeout=60).json()["submission_id"])
        until(lambda: self.job(id) == "RUNNING", "that job runs")
        return id

    def stop(self, id: str) -> None:
        requests.post(f"{self.head.address}/api/jobs/{id}/stop", json={}, timeout=60)


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {_toml(each)}" for name, each in value.items()) + "}"
    return json.dumps(value)


@pytest.fixture
def lab(tiny: Project, ray_head: RayHead, tmp_path: Path) -> Iterator[Lab]:
    found = Lab(Coord(tiny.root, dict(os.environ)), ray_head, tmp_path / "shared")
    found.configure()
    yield found
    for job in requests.get(f"{ray_head.address}/api/jobs/", timeout=60).json():
        if job["status"] in ("PENDING", "RUNNING"):
            found.stop(job["submission_id"])


def test_the_daily_loop(lab: Lab) -> None:
    """Push, status, a log that is followed, results, and a comparison with a run of the local Kaggle."""
    pushed = lab.coord("push", "--exp", "slow", "-t", "lab")
    assert pushed.stdout.strip() == f"file://{lab.root}/kernels/ada/tiny-slow"
    lab.wait("running")
    with lab.coord.start("logs", "--exp", "slow", "-t", "lab", "--follow") as follower:
        assert follower.stdout is not None
        first = follower.stdout.readline()
        lab.go("tiny-slow")
        rest = follower.stdout.read()
    assert "a word from the package data ünïcødé" in first
    assert "cv/dice 0.7550" in rest
    run = lab.wait("complete")
    assert run["attempts"] == 1
    assert lab.job(run["id"]) == "SUCCEEDED"

    lab.coord("fetch-results", "--exp", "slow", "-t", "lab")
    results = lab.coord.root / "results" / "slow" / "lab-v1"
    assert json.loads((results / "metrics.json").read_text(encoding="utf-8"))["status"] == "complete"
    assert "ünïcødé" in (results / LOG_TEXT).read_text(encoding="utf-8")

    lab.coord("push", "--exp", "base", "-t", "local", "--wait")
    lab.coord("fetch-results", "--exp", "base", "-t", "local")
    compared = lab.coord("compare", "base@local-v1", "slow@lab-v1").stdout
    assert "0.7550" in compared


def test_what_a_hostile_program_leaves_stays_in_the_folder_of_its_results(lab: Lab) -> None:
    lab.program(LEAVES)
    lab.coord("push", "--exp", "base", "-t", "lab", "--wait")
    lab.coord("fetch-results", "--exp", "base", "-t", "lab")
    results = lab.coord.root / "results" / "base" / "lab-v1"
    found = {str(path.relative_to(results)) for path in results.rglob("*") if path.is_file()}
    assert set(HOSTILE) <= found, found
    assert not {"secret", "above", "pipe"} & found
    assert all((results / name).read_text(encoding="utf-8") == name for name in HOSTILE)


def test_a_cancelled_program_has_time_to_save(lab: Lab) -> None:
    lab.program(SAVES)
    lab.coord("push", "--exp", "base", "-t", "lab")
    working = lab.folder("tiny-base") / "working"
    until(lambda: (working / "begun").exists(), "the program begins")
    lab.coord("cancel", "--exp", "base", "-t", "lab")
    run = lab.wait("cancelled")
    assert (working / "saved").read_text(encoding="utf-8") == "all of it"
    assert until(lambda: lab.job(run["id"]) == "STOPPED", "the job ends")


def test_what_does_not_fit_waits_here_and_not_in_the_queue(lab: Lab) -> None:
    """A job fails after 900 seconds in Ray's queue. So while there is no room, no version is made."""
    lab.configure(shapes={"NvidiaTeslaT4": {"gpus": GPUS}})
    lab.machine("base", "NvidiaTeslaT4")
    lab.machine("slow", "NvidiaTeslaT4")
    lab.coord("push", "--exp", "slow", "-t", "lab")
    refused = lab.coord("push", "--exp", "base", "-t", "lab", code=75)
    assert f"the cluster has no room for 0.5 CPU, {GPUS} GPU now" in refused.stderr
    assert not lab.folder("tiny-base").exists()
    with lab.coord.start("push", "--exp", "base", "-t", "lab", "--wait-for-slot") as waiting:
        assert waiting.stderr is not None
        for line in waiting.stderr:
            if "trying again when a session has ended" in line:
                break
        lab.go("tiny-slow")
        waiting.communicate()
        assert waiting.returncode == 0
    lab.wait("complete")


def test_what_never_fits_is_refused_with_the_number(lab: Lab) -> None:
    lab.configure(shapes={"NvidiaTeslaT4": {"gpus": 3}})
    lab.machine("base", "NvidiaTeslaT4")
    refused = lab.coord("push", "--exp", "base", "-t", "lab", code=1)
    assert "it asks for 3 GPU, and the largest machine has 2 GPU" in refused.stderr
    lab.configure(shapes={})
    refused = lab.coord("push", "--exp", "base", "-t", "lab", code=1)
    assert "shapes = { NvidiaTeslaT4 = { gpus = 1 } }" in refused.stderr
    assert not lab.folder("tiny-base").exists()


def test_a_job_that_is_cancelled_in_the_queue_never_starts(lab: Lab) -> None:
    lab.configure(at_once=5)  # so Ray's queue is used
    lab.machine("base", "NvidiaTeslaT4")
    busy = lab.occupy(gpus=GPUS)
    lab.coord("push", "--exp", "base", "-t", "lab")
    assert lab.run()["state"] == "queued"
    lab.coord("cancel", "--exp", "base", "-t", "lab")
    run = lab.wait("cancelled")
    lab.stop(busy)
    until(lambda: lab.job(run["id"]) not in ("PENDING", "RUNNING"), "the job ends")
    assert not (lab.folder("tiny-base") / "working" / "metrics.json").exists()


@pytest.mark.parametrize("moment", ["before the job", "after the job"])
def test_a_killed_coord_leaves_one_job(lab: Lab, moment: str) -> None:
    """Killed before the head has the job, or while its answer is on its way: it is adopted, or given up."""
    with _proxy(lab.head.address, moment) as proxy:
        lab.configure(address=proxy.address)
        with lab.coord.start("push", "--exp", "slow", "-t", "lab") as push:
            assert proxy.reached.wait(120)
            push.kill()
    lab.configure()
    (run,) = lab.coord.json("status")
    is_lost = moment == "before the job"
    assert run["state"] == ("pushing" if is_lost else "queued")
    if is_lost:  # it is given up when it can't arrive any more; its folder has no job, and never has one
        lab.coord("push", "--exp", "slow", "-t", "lab")
    lab.wait("running")
    lab.go("tiny-slow", 2 if is_lost else 1)
    lab.wait("complete")
    versions = sorted(path.name for path in lab.folder("tiny-slow").parent.iterdir())
    ids = {each["id"] for each in lab.coord.json("status")}
    jobs = [each["submission_id"] for each in requests.get(f"{lab.head.address}/api/jobs/", timeout=60).json()]
    assert len([id for id in jobs if id in ids]) == 1
    assert len([name for name in versions if (lab.folder("tiny-slow").parent / name / "claim").exists()]) == 1


def test_a_head_that_was_restarted_has_lost_what_ran_and_nothing_else(lab: Lab) -> None:
    """A finished run stays complete. What ran is an error that says why, its program is dead, and nothing starts."""
    lab.coord("push", "--exp", "base", "-t", "lab", "--wait")
    lab.coord("push", "--exp", "slow", "-t", "lab")
    lab.wait("running")
    programs = until(lambda: _programs(lab.folder("tiny-slow")), "the program begins")
    lab.head.engine.stop()
    down = lab.coord("status", "--exp", "slow", "-t", "lab", code=1)
    assert "no connection" in down.stderr
    lab.coord("fetch-results", "--exp", "base", "-t", "lab")
    lab.head.engine.start()
    lost = lab.wait("error")
    assert "the head of the Ray cluster was restarted" in lost["message"]
    assert [run["state"] for run in lab.coord.json("status")] == ["error", "complete"]
    until(lambda: not any(map(psutil.pid_exists, programs)), "the program ends with its job")
    assert lab.job(lost["id"]) is None
    lab.coord("push", "--exp", "slow", "-t", "lab")
    lab.wait("running")
    assert lab.folder("tiny-slow", 2).exists()


def test_the_doctor_asks_the_head_and_the_folder(lab: Lab) -> None:
    lab.configure(shapes={"NvidiaTeslaT4": {"gpus": 1}, "TpuV38": {"gpus": 4}})
    found = _findings(lab)
    assert {name: level for name, level, _ in found} == {
        "head": "ok",
        "machines": "problem",
        "folder": "ok",
        "python": "ok",
        "imports": "ok",
    }
    assert "NvidiaTeslaT4: 0.5 CPU, 1 GPU" in [what for _, _, what in found]
    assert any("it asks for 4 GPU, and the largest machine has 2 GPU" in what for _, _, what in found)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        lab.configure(address=f"http://127.0.0.1:{nobody.getsockname()[1]}", root="/proc/coord", python="/no/python")
        found = _findings(lab)
    assert {name: level for name, level, _ in found} == {"head": "problem", "folder": "problem"}


def _findings(lab: Lab) -> list[tuple[str, str, str]]:
    project = find_project(lab.coord.root)
    settings = project.settings.targets["lab"]
    assert isinstance(settings, RaySettings)
    return [(each.check, str(each.level), each.what) for each in findings(project, "lab", settings, {"json": "json"})]


def _programs(folder: Path) -> Sequence[int]:
    """The processes whose command has that folder's kernel."""
    kernel = str(folder / "kernel.py")
    return [process.pid for process in psutil.process_iter(["cmdline"]) if kernel in (process.info["cmdline"] or ())]


@dataclass
class _Proxy:
    address: str
    reached: threading.Event


@contextlib.contextmanager
def _proxy(head: str, moment: str) -> Iterator[_Proxy]:
    """Passes requests on, but for one: a job that is handed over is lost, or its answer is."""
    reached = threading.Event()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while line := self.rfile.readline():
                method, path, _ = line.decode().split()
                length = 0
                while (header := self.rfile.readline().strip()) != b"":
                    name, _, value = header.decode().partition(":")
                    length = int(value) if name.lower() == "content-length" else length
                body = self.rfile.read(length)
                is_job = method == "POST" and path == "/api/jobs/"
                if is_job and moment == "before the job":
                    return self._hang()
                answer = requests.request(
                    method, head + path, data=body, headers={"Content-Type": "application/json"}, timeout=60
                )
                if is_job:
                    return self._hang()
                text = answer.content
                self.wfile.write(
                    f"HTTP/1.1 {answer.status_code} x\r\nContent-Length: {len(text)}\r\n\r\n".encode() + text
                )
            return None

        def _hang(self) -> None:
            reached.set()
            self.rfile.read(1)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield _Proxy(f"http://127.0.0.1:{server.server_address[1]}", reached)
        server.shutdown()
