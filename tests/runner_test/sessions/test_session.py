"""Sessions: what a script finds, how sessions queue and end, and that they outlive the process that started them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import forked
from tests.paths import ROOT
from tests.runner_test.local import WAITS_FOR_GO, Local, alive, eventually

TELLS = """
import json, os, sys
def mode(path):
    return oct(os.stat(path).st_mode & 0o777)
print(json.dumps({
    "argv": sys.argv, "cwd": os.getcwd(), "environ": dict(os.environ), "stdin": sys.stdin.read(),
    "parent": open(f"/proc/{os.getppid()}/environ").read(),
    "modes": [mode("../src"), mode(sys.argv[0]), mode("../input")],
    "working": os.listdir("."), "input": sorted(os.listdir("../input")), "path": sys.path[0],
}))
"""


def test_what_a_script_finds(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kaggle's folders and variables, and no credentials, Python settings or proxies of the user who pushed."""
    secrets = {"KAGGLE_KEY": "s3cret-key", "KAGGLE_API_TOKEN": "s3cret-token", "AWS_SECRET_ACCESS_KEY": "s3cret-aws"}
    settings = {"PYTHONPATH": "/s3cret-path", "COORD_OVERRIDES": "s3cret-overrides", "http_proxy": "s3cret-proxy"}
    for name, value in (secrets | settings).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("no_proxy", "127.0.0.1")  # for this test's own client
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.delenv("KAGGLE_API_TOKEN")  # the client would use it instead of the test's name and key
    assert local.run("look-around", TELLS).status.name == "COMPLETE"
    printed = local.log_text("look-around")
    assert "s3cret" not in printed
    found = json.loads(printed)
    root = local.working("look-around").parent
    assert found["argv"] == [str(root / "src/script.py")]
    assert found["cwd"] == str(root / "working")
    assert found["path"] == str(root / "src")
    assert found["modes"] == ["0o555", "0o444", "0o555"]
    assert (found["working"], found["input"], found["stdin"]) == ([], [], "")
    environ = found["environ"]
    assert environ["COORD_KAGGLE_ROOT"] == str(root)
    assert environ["KAGGLE_KERNEL_RUN_TYPE"] == "Batch"
    assert (environ["OMP_NUM_THREADS"], environ["CUDA_VISIBLE_DEVICES"]) == ("3", "")
    assert environ["HOME"] != os.environ["HOME"]
    # The private folders are removed with the session, and their paths are short enough for sockets.
    assert not Path(environ["HOME"]).exists()
    assert not Path(environ["TMPDIR"]).exists()
    assert len(environ["TMPDIR"]) - len(os.environ["TMPDIR"]) < 24


@pytest.mark.parametrize(
    ("script", "failure", "exit_code"),
    [
        ("raise SystemExit(7)", "The script ended with exit code 7.", 7),
        ("1/0", "The script ended with exit code 1.", 1),
        ("import os; os.abort()", "The script was killed by signal 6 (Aborted).", -6),
    ],
)
def test_a_script_that_fails(local: Local, script: str, failure: str, exit_code: int) -> None:
    """ERROR with a message and the exit code; the script's log and output are kept."""
    status = local.run("failing", f"open('left', 'w').close()\nprint('said', flush=True)\n{script}")
    assert (status.status.name, status.failure_message) == ("ERROR", failure)
    assert local.store.progress(local.version("failing")).exit_code == exit_code
    assert [file.file_name for file in local.output("failing").files] == ["left"]
    assert "said\n" in local.log_text("failing")


def test_a_script_that_is_no_python(local: Local) -> None:
    """A syntax error is a failure of the script, with its message in the log."""
    assert local.run("no-python", "def (").failure_message == "The script ended with exit code 1."
    assert "SyntaxError" in local.log_text("no-python")


def test_two_sessions_run_and_the_others_queue_in_order(local: Local) -> None:
    """Of four, two run; when one ends, the oldest of the others starts."""
    for name in ("first", "second", "third", "fourth"):
        local.push(f"{name}-one", WAITS_FOR_GO)
    local.reach("first-one", "RUNNING")
    local.reach("second-one", "RUNNING")
    assert [local.state("third-one"), local.state("fourth-one")] == ["QUEUED", "QUEUED"]
    local.pid("second-one")
    local.go("second-one")
    local.reach("third-one", "RUNNING")
    assert [local.state("first-one"), local.state("fourth-one")] == ["RUNNING", "QUEUED"]
    assert local.state("second-one") == "COMPLETE"
    local.pid("first-one")
    local.go("first-one")
    local.reach("fourth-one", "RUNNING")
    for slug in ("third-one", "fourth-one"):
        local.pid(slug)
        local.go(slug)
        local.reach(slug, "COMPLETE")


def test_a_queued_session_can_be_cancelled(local: Local) -> None:
    """Cancelling ends a queued session before it runs and kills a running one; both get the state for it."""
    for slug in ("runs-one", "runs-two", "waits-one"):
        local.push(slug, WAITS_FOR_GO)
    pid = local.pid("runs-one")
    local.pid("runs-two")
    local.store.cancel(local.version("waits-one"))
    local.reach("waits-one", "CANCEL_ACKNOWLEDGED")
    assert not local.working("waits-one").exists()
    local.store.cancel(local.version("runs-one"))
    assert local.state("runs-one") in ("CANCEL_REQUESTED", "CANCEL_ACKNOWLEDGED")
    local.reach("runs-one", "CANCEL_ACKNOWLEDGED")
    assert not alive(pid)
    assert local.state("runs-two") == "RUNNING"


def test_a_killed_supervisor_is_shown_as_an_error(local: Local) -> None:
    """The state does not stay RUNNING, the script is ended, and the slot is free for the next session."""
    for slug in ("lost-one", "other-one", "next-one"):
        local.push(slug, WAITS_FOR_GO)
    pid = local.pid("lost-one")
    supervisor = local.store.progress(local.version("lost-one")).supervisor
    assert supervisor is not None
    assert local.state("next-one") == "QUEUED"
    os.kill(supervisor, signal.SIGKILL)
    status = local.reach("lost-one", "ERROR")
    assert "Session lost" in status.failure_message
    eventually(lambda: not alive(pid), "the script has ended")
    local.reach("next-one", "RUNNING")
    progress = local.store.progress(local.version("lost-one"))
    assert progress.ended is not None
    assert abs(time.time() - progress.ended) < 60
    assert local.log_text("lost-one").startswith("ready")


def test_a_supervisor_killed_in_the_queue_lets_others_pass(local: Local) -> None:
    """The ticket of a killed supervisor does not block those after it."""
    for slug in ("runs-one", "runs-two", "dies-one", "waits-one"):
        local.push(slug, WAITS_FOR_GO)
    local.pid("runs-two")
    supervisor = eventually(lambda: local.store.progress(local.version("dies-one")).supervisor, "it queues")
    os.kill(supervisor, signal.SIGKILL)
    local.reach("dies-one", "ERROR")
    local.go("runs-two")
    local.reach("waits-one", "RUNNING")


PUSHES_AND_WAITS = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from runner_test.server import running_server
from runner_test.store import Store
from tests.runner_test.local import PLAIN, Local, WAITS_FOR_GO
with running_server(Path(sys.argv[1]), settings=PLAIN) as server:
    Local(server.url, Store(Path(sys.argv[1]))).push("survivor", WAITS_FOR_GO)
    print("pushed", flush=True)
    time.sleep(600)
"""


def test_a_session_outlives_who_pushed_it(local: Local) -> None:
    """After SIGKILL to the process group of client and server, the session goes on, and another server shows it."""
    command = [sys.executable, "-c", PUSHES_AND_WAITS, str(local.store.root), str(ROOT)]
    with forked.start(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as pusher:
        assert pusher.stdout is not None
        assert pusher.stdout.readline() == "pushed\n"
        os.killpg(pusher.pid, signal.SIGKILL)
    pid = local.pid("survivor")
    assert alive(pid)
    assert local.state("survivor") == "RUNNING"
    local.go("survivor")
    local.reach("survivor", "COMPLETE")
    assert local.log_text("survivor").endswith("gone\n")


def test_a_source_that_no_longer_exists(local: Local, tmp_path: Path) -> None:
    """If a data set's folder is removed while the session waits, that is an ERROR that names it."""
    folder = tmp_path / "data"
    folder.mkdir()
    local.store.add_dataset("me/data", folder)
    for slug in ("runs-one", "runs-two"):
        local.push(slug, WAITS_FOR_GO)
        local.pid(slug)
    local.push("reads-data", "pass", dataset_data_sources=["me/data"])
    folder.rmdir()
    local.go("runs-one")
    assert "datasets/me/data" in local.reach("reads-data", "ERROR").failure_message


def test_a_failure_of_the_supervisor_itself(local: Local) -> None:
    """It is an ERROR, with the traceback in the supervisor's log."""
    for slug in ("runs-one", "runs-two"):
        local.push(slug, WAITS_FOR_GO)
        local.pid(slug)
    local.push("broken-one", "pass")
    paths = local.store.paths(local.version("broken-one"))
    paths.source.unlink()
    local.go("runs-one")
    assert "The session failed" in local.reach("broken-one", "ERROR").failure_message
    eventually(lambda: "Traceback" in paths.diary.read_text(), "the supervisor's log has the traceback")
