"""Sessions in namespaces of their own: what they see, what they can't reach, and how they end."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from runner_test.server import running_server
from runner_test.sessions import isolation, notebook
from runner_test.sessions.isolation import warning
from runner_test.sessions.processes import members
from runner_test.settings import Settings
from runner_test.store import Store
from tests.runner_test.local import WAITS_FOR_GO, Local, Run, alive, eventually

needs_isolation = pytest.mark.skipif(isolation.problem() is not None, reason=str(isolation.problem()))


TELLS = """
import getpass, json, os, socket, sys
def refused(path):
    try:
        open(path, "w")
    except OSError as error:
        return error.errno
print(json.dumps({
    "argv": sys.argv, "cwd": os.getcwd(), "uid": os.getuid(), "user": getpass.getuser(), "environ": dict(os.environ),
    "root": sorted(os.listdir("/")), "kaggle": sorted(os.listdir("/kaggle")), "tmp": os.listdir("/tmp"),
    "processes": sum(name.isdecimal() for name in os.listdir("/proc")),
    "host": [socket.gethostname(), socket.gethostbyname(socket.gethostname())],
    "refused": [refused(p) for p in ("/kaggle/src/script.py", "/kaggle/src/x", "/kaggle/input/x", "/x", "/usr/x")],
    "seen": [path for path in %r if os.path.exists(path)],
}))
open("out", "w").write("kept")
open("/tmp/scratch", "w").write("x")
open(os.path.expanduser("~/scratch"), "w").write("x")
open("/kaggle/temp/x", "w").write("x")
"""


@needs_isolation
def test_what_an_isolated_script_finds(isolated: Local, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real /kaggle, a user and a host of its own; none of the user's files, processes and variables."""
    monkeypatch.setenv("KAGGLE_KEY", "s3cret-key")
    credentials = Path.home() / ".kaggle" / "kaggle.json"
    credentials.parent.mkdir(exist_ok=True)
    credentials.write_text("s3cret-file")
    hidden = [
        str(credentials),
        str(tmp_path),
        str(isolated.store.root),
        str(Path(__file__)),
        "/etc/shadow",
        "/etc/ssl/private",
    ]
    assert isolated.run("look-around", TELLS % (hidden,)).status.name == "COMPLETE", isolated.log_text("look-around")
    printed = isolated.log_text("look-around")
    assert "s3cret" not in printed
    found = json.loads(printed)
    assert found["argv"] == ["/kaggle/src/script.py"]
    assert found["cwd"] == "/kaggle/working"
    assert found["kaggle"] == ["input", "lib", "src", "temp", "working"]
    assert (found["uid"], found["user"]) == (0, "root")
    assert found["host"] == ["kaggle", "127.0.0.1"]
    assert found["processes"] == 2  # the first process, and the script
    # The interpreter and the program for notebooks may be there: they are mounted at their own paths.
    mounted = [Path(sys.prefix), Path(sys.base_prefix), Path(notebook.PROGRAM)]
    assert set(found["tmp"]) <= {each.parts[2] for each in mounted if each.is_relative_to("/tmp")}
    assert found["seen"] == []
    assert all(found["refused"])
    environ = found["environ"]
    assert "COORD_KAGGLE_ROOT" not in environ
    assert (environ["KAGGLE_KERNEL_RUN_TYPE"], environ["HOME"], environ["TMPDIR"]) == ("Batch", "/root", "/tmp")
    # Its files are on disk, but only its working directory is output.
    assert [file.file_name for file in isolated.output("look-around").files] == ["out"]
    assert (isolated.working("look-around").parent / "temp" / "x").is_file()


REACHES = """
import socket
with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
    print("loopback")
try:
    socket.create_connection(("127.0.0.1", %d), timeout=5).close()
    print("outside")
except OSError as error:
    print(error)
"""


@needs_isolation
def test_the_network_is_off_unless_the_internet_is_on(isolated: Local) -> None:
    """With the internet off there is only a loopback of its own; with it on, this machine's network."""
    port = int(isolated.url.rpartition(":")[2])
    isolated.run("all-alone", REACHES % port, enable_internet=False)
    assert isolated.log_text("all-alone").splitlines() == ["loopback", "[Errno 111] Connection refused"]
    isolated.run("connected", REACHES % port, enable_internet=True)
    assert isolated.log_text("connected").splitlines() == ["loopback", "outside"]


@needs_isolation
@pytest.mark.parametrize(
    ("layout", "mounts"),
    [
        ("2026", ["competitions/siim", "datasets/me/data", "notebooks/me/earlier"]),
        ("2025", ["data", "earlier", "siim"]),
    ],
)
def test_inputs_are_mounted_in_both_layouts(tmp_path: Path, layout: str, mounts: list[str]) -> None:
    """A competition, a data set and a kernel's output are at the layout's paths, readable and not writable."""
    store = Store(tmp_path / "kaggle", settings=Settings(layout=layout))  # type: ignore[arg-type]
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file").write_text("content")
    store.add_dataset("me/data", folder)
    store.add_competition("siim", folder)
    script = """
import os
root = "/kaggle/input"
for folder, _, files in sorted(os.walk(root)):
    for name in set(files) & {"file"}:
        path = os.path.join(folder, name)
        try:
            open(path, "w")
        except OSError as error:
            print(os.path.relpath(folder, root), open(path).read(), error.strerror)
"""
    with running_server(store.root, settings=store.settings) as server:
        local = Local(server.url, store)
        local.run("earlier", "open('file', 'w').write('content')")
        attached = {"competition_data_sources": ["siim"], "dataset_data_sources": ["me/data"]}
        status = local.run("reader", script, kernel_data_sources=["me/earlier"], **attached)
    assert status.status.name == "COMPLETE", local.log_text("reader")
    assert local.log_text("reader").splitlines() == [f"{mount} content Read-only file system" for mount in mounts]
    assert (folder / "file").read_text() == "content"


def test_two_sources_for_one_place(tmp_path: Path) -> None:
    """In the older layout, two data sets with the same slug have the same path: an ERROR that says so."""
    store = Store(tmp_path / "kaggle", settings=Settings(layout="2025", isolation="none"))
    for owner in ("me", "you"):
        store.add_dataset(f"{owner}/data", tmp_path)
    with running_server(store.root, settings=store.settings) as server:
        local = Local(server.url, store)
        status = local.run("reader", "pass", dataset_data_sources=["me/data", "you/data"])
    assert "Two sources with one slug" in status.failure_message


WORKERS = """
import multiprocessing, os, subprocess, sys
from multiprocessing import shared_memory
def add(name):
    block = shared_memory.SharedMemory(name)
    block.buf[0] += 1
    block.close()
if __name__ == "__main__":
    block = shared_memory.SharedMemory(create=True, size=100 << 20)
    block.buf[0] = 0
    for method in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(method).Pool(1) as pool:
            pool.apply(add, (block.name,))
    print(block.buf[0])
    block.close()
    block.unlink()
    print(subprocess.run([sys.executable, "-c", "print('child')"], capture_output=True, text=True).stdout)
"""


@needs_isolation
def test_worker_processes(run_isolated: Run) -> None:
    """fork, spawn and forkserver workers run and share 100 MiB of memory, more than a container's usual /dev/shm."""
    assert run_isolated(WORKERS) == (0, "3\nchild\n\n")


TRAINS = """
import os, torch, torch.distributed as dist
from torch.utils.data import DataLoader
children = [os.fork() for _ in range(2) if os.getpid() == 2]
rank = len(children) - 1 if children and children[-1] == 0 else None
if rank is None:
    raise SystemExit(sum(os.waitpid(child, 0)[1] for child in children))
os.environ |= {"MASTER_ADDR": "localhost", "MASTER_PORT": "29500", "WORLD_SIZE": "2", "RANK": str(rank)}
dist.init_process_group("gloo")
batches = DataLoader(torch.arange(8.0), batch_size=2, num_workers=1)
total = sum(batch.sum() for batch in batches) * (1 + rank)
dist.all_reduce(total)
if rank == 0:
    print(total.item())
dist.destroy_process_group()
"""


@needs_isolation
def test_process_groups_and_loader_workers(run_isolated: Run) -> None:
    """Two processes of torch find each other by the host's name without a network, and workers of their loaders run."""
    code, output = run_isolated(TRAINS)
    # torch sometimes prints a warning before it, about the name of a socket's address.
    assert (code, output.splitlines()[-1:]) == (0, ["84.0"]), output


@needs_isolation
@pytest.mark.parametrize(
    ("script", "failure", "exit_code"),
    [
        ("raise SystemExit(7)", "The script ended with exit code 7.", 7),
        ("import os; os.abort()", "The script was killed by signal 6 (Aborted).", -6),
    ],
)
def test_how_an_isolated_script_fails(isolated: Local, script: str, failure: str, exit_code: int) -> None:
    """The exit code, or the signal, is the script's own."""
    assert isolated.run("failing", script).failure_message == failure
    assert isolated.store.progress(isolated.version("failing")).exit_code == exit_code


ESCAPES = """
import os, subprocess, sys
sleeps = [sys.executable, "-c", "import time; time.sleep(600)"]
subprocess.Popen(sleeps, start_new_session=True)
print("ready 0", flush=True)
"""


@needs_isolation
def test_nothing_outlives_an_isolated_session(isolated: Local) -> None:
    """A child that started a session of its own ends with the script, and if the supervisor is killed."""
    before = set(_sleepers())
    isolated.run("escapes", ESCAPES)
    eventually(lambda: set(_sleepers()) <= before, "the child has ended")

    isolated.push("lost-one", ESCAPES + WAITS_FOR_GO)
    isolated.pid("lost-one")
    supervisor = isolated.store.progress(isolated.version("lost-one")).supervisor
    assert supervisor is not None
    started = [process.pid for process in members(supervisor) if process.pid != supervisor]
    assert len(started) >= 4  # bubblewrap and the first process inside, the script, its child
    os.kill(supervisor, signal.SIGKILL)
    assert "Session lost" in isolated.reach("lost-one", "ERROR").failure_message
    eventually(lambda: not any(map(alive, started)), "all processes have ended")


def _sleepers() -> list[int]:
    """The processes of this machine that run ESCAPES' child."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if b"time.sleep(600)" in path.read_bytes() and alive(int(path.parent.name)):
                found.append(int(path.parent.name))
        except OSError:
            pass  # it has ended
    return found


def test_a_machine_without_bubblewrap(monkeypatch: pytest.MonkeyPatch, run_isolated: Run, tmp_path: Path) -> None:
    """Sessions run in a folder that takes the place of /kaggle, and a warning names what to install."""
    isolation.problem.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path))
    try:
        assert "Bubblewrap is not installed" in str(warning(Settings()))
        assert warning(Settings(isolation="none")) is None
        code, printed = run_isolated("import os; print(os.environ['COORD_KAGGLE_ROOT'], os.getcwd())")
    finally:
        isolation.problem.cache_clear()
    assert (code, printed) == (0, f"{tmp_path}/root {tmp_path}/root/working\n")


def test_a_machine_that_forbids_namespaces(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The warning contains bubblewrap's message."""
    refusing = tmp_path / "bwrap"
    refusing.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    refusing.chmod(0o755)
    isolation.problem.cache_clear()
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    try:
        assert "No permissions to create new namespace" in str(warning(Settings()))
    finally:
        isolation.problem.cache_clear()


def test_no_isolation_where_none_is_wanted(run: Run) -> None:
    """isolation = "none" runs a session as the user."""
    assert run("import os; print(os.getuid(), os.getpid() > 2)") == (
        0,
        f"{os.getuid()} True\n",
    )


@needs_isolation
def test_another_interpreter_is_found_inside(run_isolated: Run, tmp_path: Path) -> None:
    """Another interpreter than the server's is mounted with its files, wherever its links lead."""
    link = tmp_path / "elsewhere" / "python"
    link.parent.mkdir()
    link.symlink_to(Path(sys.executable).resolve())
    assert run_isolated("import json, sys; print(sys.argv[0])", python=str(link)) == (0, "/kaggle/src/script.py\n")


@needs_isolation
def test_an_isolated_dry_run_ends_with_its_time(run_isolated: Run) -> None:
    """The time limit ends all processes inside, and the exit code is that of timeout(1)."""
    assert run_isolated("import time; print('began', flush=True); time.sleep(600)", timeout=1.0) == (124, "began\n")
