"""Limits of a session, and the quota that sessions spend."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from kagglesdk.kernels.types.kernels_api_service import ApiDeleteKernelRequest

from coordinator.project.settings import LocalSettings
from runner_test import isolation, scratch
from runner_test.limits import Watch
from runner_test.log import Record
from runner_test.processes import members, memory_above
from runner_test.reference import Reference
from runner_test.server import running_server
from runner_test.session import run_once
from runner_test.settings import Settings
from runner_test.store import Store
from runner_test.usage import Usage, keep
from tests.runner_test.local import WAITS_FOR_GO, Local, eventually, fill

Serve = Callable[..., Local]

# Both ways to run a session have the same limits.
ISOLATIONS = [
    "none",
    pytest.param(
        "auto",
        marks=pytest.mark.skipif(isolation.problem() is not None, reason=str(isolation.problem())),
    ),
]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Runs a local Kaggle with the given settings; isolation is "none" unless they say otherwise."""
    stores = []
    opened = []

    def with_settings(**settings: Any) -> Local:
        store = Store(tmp_path / "kaggle", settings=Settings(**{"isolation": "none"} | settings))
        context = running_server(store.root, settings=store.settings)
        opened.append(context)
        stores.append(store)
        return Local(context.__enter__().url, store)

    yield with_settings
    for context in opened:
        context.__exit__(None, None, None)
    for store in stores:
        for kernel in store.kernels():
            store.delete(kernel.reference)


TAKES_MEMORY = """
import os, time
taken = []
if os.fork() == 0:
    os.setsid()
    while True:
        taken.append(b"x" * (4 << 20))
        time.sleep(0.01)
open("left", "w").close()
time.sleep(600)
"""


@pytest.mark.parametrize("isolated", ISOLATIONS)
def test_a_session_that_takes_too_much_memory(serve: Serve, isolated: str) -> None:
    """Whatever process of it takes it, the session is ended with a message, and keeps its output."""
    local = serve(isolation=isolated, memory_gib=0.2)
    status = local.run("greedy-one", TAKES_MEMORY)
    assert status.status.name == "ERROR"
    assert "tried to allocate more memory than is available" in status.failure_message
    assert "with a limit of 0.2 GiB" in status.failure_message
    assert [file.file_name for file in local.output("greedy-one").files] == ["left"]


SHARES_MEMORY = """
import os, time
block = b"x" * (64 << 20)
for _ in range(4):
    if os.fork() == 0:
        break
os.write(1, b"ready\\n")  # in one piece, whoever else writes
time.sleep(600)
"""


def test_shared_memory_is_counted_once() -> None:
    """Five processes that share 64 MiB after a fork hold some 64 MiB, though each of them seems to have it all."""
    with subprocess.Popen(
        [sys.executable, "-c", SHARES_MEMORY], stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        try:
            assert process.stdout is not None
            for _ in range(5):
                assert process.stdout.readline() == b"ready\n"
            pids = members(process.pid)
            assert len(pids) == 5
            held = memory_above(60 << 20, pids)
            assert held is not None
            assert 64 << 20 < held < 160 << 20
            assert memory_above(200 << 20, pids) is None  # though the sum of what each has is more
            assert memory_above(float("inf"), pids) is None
        finally:
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("settings", "script", "failure"),
    [
        ({"output_gb": 0.001}, "open('big', 'wb').truncate(2_000_000)", "The output is 0.002 GB"),
        ({"output_files": 5}, "for i in range(6): open(f'{i}', 'w').close()", "The output has 6 files"),
    ],
)
def test_too_much_output(serve: Serve, settings: dict[str, float], script: str, failure: str) -> None:
    """A run whose output is too large, or has too many files, is an ERROR even if it had already ended well."""
    local = serve(**settings)
    status = local.run("wasteful", script)
    assert status.status.name == "ERROR"
    assert failure in status.failure_message


def test_output_is_looked_at_while_a_session_runs(tmp_path: Path) -> None:
    """Too much output is noticed at the next look, and no look comes before its time."""
    now = 0.0
    watch = Watch(Settings(output_files=1, memory_gib=0), tmp_path, clock=lambda: now)
    for name in ("a", "b"):
        (tmp_path / name).touch()
    assert watch.look(os.getpid()) is None
    now = 2.0
    assert "The output has 2 files" in str(watch.look(os.getpid()))
    (tmp_path / "a").unlink()
    assert watch.look(os.getpid()) is None


def test_a_log_that_is_too_long(serve: Serve) -> None:
    """The log ends where it is as long as it may be, and says so; the session goes on."""
    local = serve(log_mib=0.5)
    status = local.run("chatter", "import sys\nfor i in range(100): sys.stdout.write('x' * 10_000 + '\\n')")
    assert status.status.name == "COMPLETE"
    said = local.said("chatter")
    assert said.endswith("The log has reached 0.5 MiB: the rest is left out.\n")
    assert said.count("The log has reached") == 1
    assert 1 << 19 <= len(said) < (1 << 19) + 200_000


def test_limits_of_a_run_in_the_foreground(tmp_path: Path) -> None:
    """run_once says which limit was passed, and its exit code is not 0."""
    script = tmp_path / "kernel.py"
    script.write_text("open('big', 'wb').truncate(2_000_000)")
    records: list[Record] = []
    code = run_once(
        script,
        tmp_path / "root",
        inputs={},
        overrides=None,
        timeout=None,
        on_record=records.append,
        settings=Settings(output_gb=0.001, isolation="none"),
    )
    assert code == 1
    assert "The output is 0.002 GB" in records[-1].data


def test_the_quota_is_spent_by_running(serve: Serve) -> None:
    """What has run on a GPU counts, running sessions and deleted kernels too; then no GPU is given, but a CPU is."""
    local = serve(gpu_quota_hours=0.5 / 3600)
    assert not local.push("on-gpu", WAITS_FOR_GO, machine_shape="NvidiaTeslaT4").error
    local.pid("on-gpu")
    quota = local.api().get_accelerator_quota_statistics
    eventually(lambda: quota().gpu_quota.time_reserved.total_seconds(), "half a second is reserved")
    error = local.push("next-gpu", "pass", machine_shape="NvidiaTeslaP100").error
    assert "exceeded the number of hours allowed to use GPU. Your quota will reset to" in error
    assert not local.push("on-cpu", "pass").error
    assert not local.push("on-tpu", "pass", machine_shape="TpuV5E8").error
    local.go("on-gpu")
    local.reach("on-gpu", "COMPLETE")

    local.api().delete_kernel(fill(ApiDeleteKernelRequest(), user_name="me", kernel_slug="on-gpu"))
    assert "quota" in local.push("next-gpu", "pass", enable_gpu=True).error
    assert quota().gpu_quota.has_ever_run
    assert not local.push("hers-gpu", "pass", enable_gpu=True, user="anna").error


def test_the_quota_is_renewed(serve: Serve) -> None:
    """What was spent before this week's Saturday doesn't count any more."""
    local = serve(gpu_quota_hours=0.001)
    week = 7 * 86400
    old = time.time() - week
    keep(local.store.root, [Usage("1", "me", "NvidiaTeslaT4", old - 7200, old)])
    quota = local.api().get_accelerator_quota_statistics().gpu_quota
    assert (quota.time_used.total_seconds(), quota.has_ever_run) == (0, True)
    assert not local.push("on-gpu", "pass", enable_gpu=True).error
    keep(local.store.root, [Usage("2", "me", "NvidiaTeslaT4", time.time() - week, time.time())])
    assert local.push("on-gpu", "pass", enable_gpu=True).error


def test_a_push_beyond_the_session_limit(serve: Serve) -> None:
    """Refused in Kaggle's words while two sessions with a GPU wait or run; others' and those without don't count."""
    local = serve()
    for name in ("on-cpu", "on-another-cpu", "on-gpu", "waits-for-gpu"):
        assert not local.push(name, WAITS_FOR_GO, enable_gpu="gpu" in name).error
    assert local.push("next-gpu", "pass", enable_gpu=True).error == "Maximum batch GPU session count of 2 reached."
    assert local.push("on-gpu", "pass", machine_shape="NvidiaTeslaP100").error  # nor a new version of one of them
    assert [kernel.slug for kernel in local.store.kernels() if local.store.numbers(kernel.reference) != [1]] == []
    assert local.store.kernel(Reference("me", "next-gpu")) is None
    assert not local.push("on-tpu", "pass", machine_shape="TpuV5E8").error
    assert not local.push("hers-gpu", "pass", enable_gpu=True, user="anna").error
    local.store.cancel(local.version("waits-for-gpu"))
    local.reach("waits-for-gpu", "CANCEL_ACKNOWLEDGED")
    assert local.push("next-gpu", "pass", enable_gpu=True).version_number == 1


def test_pushes_at_once_do_not_pass_the_session_limit(serve: Serve) -> None:
    """Of six that come together, three are taken."""
    local = serve(gpu_sessions=3)
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda n: local.push(f"on-gpu-{n}", WAITS_FOR_GO, enable_gpu=True), range(6)))
    assert (
        sorted(answer.error for answer in answers) == [""] * 3 + ["Maximum batch GPU session count of 3 reached."] * 3
    )


def test_without_a_session_limit_they_queue(serve: Serve) -> None:
    """With 0, the third is taken and waits for its turn."""
    local = serve(gpu_sessions=0)
    for number in range(3):
        assert not local.push(f"on-gpu-{number}", WAITS_FOR_GO, enable_gpu=True).error
    local.pid("on-gpu-1")
    assert local.state("on-gpu-2") == "QUEUED"


KEEPS_A_FOLDER = """
import sys, time
sys.path.insert(0, sys.argv[1])
from runner_test import scratch
with scratch.folder() as path:
    (path / "file").touch()
    path.chmod(0o700)
    print(path, flush=True)
    time.sleep(600)
"""


def test_a_killed_session_leaves_its_folder_to_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder whose holder lives stays; once that was killed it goes when the next session begins; others stay."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    foreign = tmp_path / "kaggle-of-another-program"
    foreign.mkdir()
    repository = str(Path(__file__).resolve().parents[2])
    command = [sys.executable, "-c", KEEPS_A_FOLDER, repository]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        left = Path(process.stdout.readline().strip())
        assert left.parent == tmp_path
        with scratch.folder() as own:
            assert (left / "file").exists()
        assert not own.exists()
        process.kill()
    assert (left / "file").exists()
    with scratch.folder():
        assert not left.exists()
    assert foreign.exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"isolation": "docker"}, 'isolation must be "auto" or "none"'),
        ({"layout": "2024"}, 'layout must be "2026" or "2025"'),
        ({"memory_gib": -1}, "memory_gib must be >= 0, is -1"),
        ({"output_gb": -0.5}, "output_gb must be >= 0"),
        ({"output_files": float("nan")}, "output_files must be >= 0"),
        ({"gpu_quota_hours": -1}, "gpu_quota_hours must be >= 0"),
        ({"tpu_quota_hours": float("inf")}, "tpu_quota_hours must be >= 0"),
        ({"gpu_sessions": -1}, "gpu_sessions must be >= 0, is -1"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], message: str) -> None:
    """One clear message for each."""
    with pytest.raises(ValueError, match=message):
        Settings(**settings)


def test_coord_declares_the_same_settings() -> None:
    """coord reads them without the local Kaggle, so it has a declaration of its own: same names, same defaults."""
    assert dataclasses.asdict(LocalSettings()) == dataclasses.asdict(Settings())


def test_settings_are_saved_with_the_version(serve: Serve) -> None:
    """A session runs as the server that took it was told, also under a server that was told otherwise."""
    local = serve(layout="2025", log_mib=0)
    local.run("recorded", "pass")
    record = json.loads(local.store.paths(local.version("recorded")).record.read_text())
    assert record["settings"]["layout"] == "2025"
    assert Store(local.store.root).version(local.version("recorded").reference, 1) == local.version("recorded")
    assert local.version("recorded").settings == local.store.settings
