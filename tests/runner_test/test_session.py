"""Sessions: what a script finds, what becomes of its output, how sessions queue, end, and outlive who started them."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from runner_test.errors import BadName, LocalKaggleError, MissingFolder, RootInUse
from runner_test.log import Record
from runner_test.progress import State
from runner_test.session import run_once
from tests.runner_test.local import PLAIN, WAITS_FOR_GO, Local, alive, eventually

REPOSITORY = Path(__file__).resolve().parents[2]

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
    """Kaggle's folders and variables, and nothing of the pusher's environment: no credentials, no Python settings."""
    secrets = {"KAGGLE_KEY": "s3cret-key", "KAGGLE_API_TOKEN": "s3cret-token", "AWS_SECRET_ACCESS_KEY": "s3cret-aws"}
    settings = {"PYTHONPATH": "/s3cret-path", "COORD_OVERRIDES": "s3cret-overrides", "http_proxy": "s3cret-proxy"}
    for name, value in (secrets | settings).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("no_proxy", "127.0.0.1")  # for this test's own client
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.delenv("KAGGLE_API_TOKEN")  # the client would prefer it to the name that the test uses
    assert local.run("look-around", TELLS).status.name == "COMPLETE"
    said = local.said("look-around")
    assert "s3cret" not in said
    found = json.loads(said)
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
    # The private folders are gone with the session, and short enough for a socket's path while they last.
    assert not Path(environ["HOME"]).exists()
    assert not Path(environ["TMPDIR"]).exists()
    assert len(environ["TMPDIR"]) - len(os.environ["TMPDIR"]) < 24


# Lets a script wait until what it has just written is in its log, so that no two pieces become one record.
SAYS_PIECE_BY_PIECE = r"""
import os, time
def logged():
    return open("../../log.jsonl").read().count("\n")
def say(stream, data):
    before = logged()
    os.write(stream, data)
    while logged() == before:
        time.sleep(0.005)
"""


def test_the_log_has_kaggles_format(local: Local) -> None:
    """An array of records, a record a line, commas first; both streams in their order, times rising from the start."""
    script = (
        SAYS_PIECE_BY_PIECE
        + r"""
say(1, b"one\n")
say(2, b"two")
say(1, "drei \u00e4\u20ac\U0001f600 \u2028\n".encode())
say(2, b"\x1b[31mred")
"""
    )
    local.run("log-format", script)
    log = local.output("log-format").log
    records = json.loads(log)
    assert [(record["stream_name"], record["data"]) for record in records] == [
        ("stdout", "one\n"),
        ("stderr", "two"),
        ("stdout", "drei ä€\U0001f600 \u2028\n"),
        ("stderr", "\x1b[31mred"),
    ]
    times = [record["time"] for record in records]
    assert times == sorted(times)
    assert 0 <= times[0] < times[-1] < 30
    assert log.isascii()
    lines = log.split("\n")
    assert lines[0].startswith('[{"stream_name":"stdout","time":')
    assert all(line.startswith(',{"stream_name":') for line in lines[1:-1])
    assert lines[-1] == "]"


def test_a_script_that_says_nothing(local: Local) -> None:
    """An empty log is an empty array."""
    local.run("silence", "pass")
    assert json.loads(local.output("silence").log) == []


def test_characters_are_never_split(local: Local) -> None:
    """The halves of a character written apart arrive as one character; a half that stays alone is marked as such."""
    script = (
        SAYS_PIECE_BY_PIECE
        + r"""
say(1, b"a\xe2")
for piece in (b"\x82", b"\xacb", b"\xff", b"c\xc3"):
    os.write(1, piece)
    say(2, b".")
"""
    )
    local.run("halves", script)
    records = json.loads(local.output("halves").log)
    stdout = [record["data"] for record in records if record["stream_name"] == "stdout"]
    assert "".join(stdout) == "a€b\ufffdc\ufffd"
    assert stdout[0] == "a"  # the rest was waited for
    assert sum(record["stream_name"] == "stderr" for record in records) > 1


def test_much_output_is_complete(local: Local) -> None:
    """Several megabytes, of which a pipe holds a part at a time, arrive whole and in order."""
    local.run("chatter", "import sys\nfor i in range(300_000): sys.stdout.buffer.write(b'%d\\n' % i)")
    assert local.said("chatter") == "".join(f"{i}\n" for i in range(300_000))


@pytest.mark.parametrize(
    ("script", "failure", "exit_code"),
    [
        ("raise SystemExit(7)", "The script ended with exit code 7.", 7),
        ("1/0", "The script ended with exit code 1.", 1),
        ("import os; os.abort()", "The script was killed by signal 6 (Aborted).", -6),
    ],
)
def test_a_script_that_fails(local: Local, script: str, failure: str, exit_code: int) -> None:
    """ERROR with a message and the exit code; what the script said and left is still there."""
    status = local.run("failing", f"open('left', 'w').close()\nprint('said', flush=True)\n{script}")
    assert (status.status.name, status.failure_message) == ("ERROR", failure)
    assert local.store.progress(local.version("failing")).exit_code == exit_code
    assert [file.file_name for file in local.output("failing").files] == ["left"]
    assert "said\n" in local.said("failing")


def test_a_script_that_is_no_python(local: Local) -> None:
    """A syntax error is the script's own failure, told in its log."""
    assert local.run("no-python", "def (").failure_message == "The script ended with exit code 1."
    assert "SyntaxError" in local.said("no-python")


def test_the_time_limit(local: Local) -> None:
    """A session is ended after its seconds, with its children, and keeps its output."""
    started = time.monotonic()
    status = local.run("too-slow", "open('left', 'w').close()\n" + WAITS_FOR_GO, session_timeout_seconds=1)
    assert status.status.name == "ERROR"
    assert "time limit of 1 seconds" in status.failure_message
    assert time.monotonic() - started < 10
    assert not alive(local.pid("too-slow"))
    assert [file.file_name for file in local.output("too-slow").files] == ["left"]


def test_children_end_with_the_script(local: Local) -> None:
    """A process that the script leaves behind is ended, and an open pipe doesn't keep the session waiting."""
    script = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print(child.pid, other.pid)
"""
    assert local.run("parent", script).status.name == "COMPLETE"
    child, escaped = map(int, local.said("parent").split())
    eventually(lambda: not alive(child), "the child has ended")
    os.kill(escaped, signal.SIGKILL)  # ours to clean up: Kaggle would throw the whole machine away


def test_output_stays_inside(local: Local, tmp_path: Path) -> None:
    """Links that lead out of the working directory are not served, nor names that are not text; others are."""
    (tmp_path / "passwords").write_text("secret")
    script = f"""
import os
os.symlink({str(tmp_path / "passwords")!r}, "stolen")
os.symlink({str(tmp_path)!r}, "everything")
os.symlink("../src/script.py", "source")
os.symlink("nowhere", "dangling")
os.symlink("kept", "inside")
open("kept", "w").write("kept")
open("with space & \u00fc?#%.txt", "w").write("odd")
open(b"bad-\\xff", "w").close()
os.mkfifo("pipe")
"""
    local.run("links", script)
    files = {file.file_name: file.url for file in local.output("links").files}
    assert sorted(files) == ["inside", "kept", "with space & ü?#%.txt"]
    assert requests.get(files["inside"], timeout=10).text == "kept"
    assert requests.get(files["with space & ü?#%.txt"], timeout=10).text == "odd"


def test_two_sessions_run_and_the_others_queue_in_order(local: Local) -> None:
    """Of four, two run; each that ends lets the next one in, oldest first."""
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
    """Cancelling ends a queued session without running it and a running one by force; both say so."""
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
    """The state doesn't stay RUNNING, the script doesn't go on unwatched, and the slot is free for the next."""
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
    assert local.said("lost-one").startswith("ready")


def test_a_supervisor_killed_in_the_queue_lets_others_pass(local: Local) -> None:
    """A dead ticket doesn't hold up those behind it."""
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
    """SIGKILL to the whole process group of pusher and server leaves the session running, under another server."""
    command = [sys.executable, "-c", PUSHES_AND_WAITS, str(local.store.root), str(REPOSITORY)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as pusher:
        assert pusher.stdout is not None
        assert pusher.stdout.readline() == "pushed\n"
        os.killpg(pusher.pid, signal.SIGKILL)
    pid = local.pid("survivor")
    assert alive(pid)
    assert local.state("survivor") == "RUNNING"
    local.go("survivor")
    local.reach("survivor", "COMPLETE")
    assert local.said("survivor").endswith("gone\n")


def test_a_source_that_has_gone(local: Local, tmp_path: Path) -> None:
    """A data set whose folder vanished while its session waited is an ERROR that names it."""
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


def test_a_session_that_breaks_says_so(local: Local) -> None:
    """A failure of the machinery itself is an ERROR, with its traceback in the supervisor's diary."""
    for slug in ("runs-one", "runs-two"):
        local.push(slug, WAITS_FOR_GO)
        local.pid(slug)
    local.push("broken-one", "pass")
    paths = local.store.paths(local.version("broken-one"))
    paths.source.unlink()
    local.go("runs-one")
    assert "The session broke" in local.reach("broken-one", "ERROR").failure_message
    eventually(lambda: "Traceback" in paths.diary.read_text(), "the diary tells why")


# In the foreground


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., tuple[int, list[Record]]]:
    """Runs a script's text once in a fresh root; the exit code and the records."""

    def once(text: str, **options: object) -> tuple[int, list[Record]]:
        script = tmp_path / "kernel.py"
        script.write_text(text)
        records: list[Record] = []
        arguments = {
            "inputs": {},
            "overrides": None,
            "timeout": None,
            "on_record": records.append,
            "settings": PLAIN,
        } | options
        code = run_once(script, tmp_path / "root", **arguments)  # type: ignore[arg-type]
        return code, records

    return once


def test_run_once(run: Callable[..., tuple[int, list[Record]]], tmp_path: Path) -> None:
    """The same layout and environment as a session's, in the foreground, with overrides and inputs where asked."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "x.csv").write_text("1,2")
    code, records = run(
        "import os, sys\n"
        "print(open('../input/competitions/siim/x.csv').read(), os.environ['COORD_OVERRIDES'], os.getcwd())\n"
        "open('out', 'w').close()\n"
        "sys.exit(5)",
        inputs={"competitions/siim": data, "datasets/a/b": data},
        overrides='{"epochs": 1}',
    )
    root = tmp_path / "root"
    assert code == 5
    assert "".join(record.data for record in records) == f'1,2 {{"epochs": 1}} {root}/working\n'
    assert (root / "working" / "out").exists()
    assert stat.S_IMODE((root / "src" / "script.py").stat().st_mode) == 0o444
    assert (root / "input" / "datasets" / "a" / "b").resolve() == data


def test_run_once_exit_codes(run: Callable[..., tuple[int, list[Record]]], tmp_path: Path) -> None:
    """A signal is 128 and its number, running out of time 124, as a shell has it."""
    assert run("import os, signal; os.kill(os.getpid(), signal.SIGTERM)")[0] == 128 + signal.SIGTERM
    (tmp_path / "root").rename(tmp_path / "old")
    assert run("import time; time.sleep(600)", timeout=0.5)[0] == 124


RUNS_ONCE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from runner_test.session import run_once
def show(record):
    print(record.data, end="", flush=True)
from tests.runner_test.local import PLAIN
script, root = map(Path, sys.argv[1:3])
run_once(script, root, inputs={}, overrides=None, timeout=None, on_record=show, settings=PLAIN)
"""

STARTS_A_CHILD = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
os.write(1, f"{os.getpid()} {child.pid}\\n".encode())
time.sleep(600)
"""


@pytest.mark.parametrize(("sent", "children"), [(signal.SIGINT, True), (signal.SIGKILL, False)])
def test_an_ended_run_leaves_nothing_running(tmp_path: Path, sent: signal.Signals, children: bool) -> None:
    """Ctrl-C ends the script and all that it started; even SIGKILL of the runner ends the script."""
    script = tmp_path / "kernel.py"
    script.write_text(STARTS_A_CHILD)
    command = [sys.executable, "-c", RUNS_ONCE, str(script), str(tmp_path / "root"), str(REPOSITORY)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as runner:
        assert runner.stdout is not None
        script_pid, child_pid = map(int, runner.stdout.readline().split())
        runner.send_signal(sent)
        assert runner.wait(20) == -sent
    eventually(lambda: not alive(script_pid), "the script has ended")
    if children:
        eventually(lambda: not alive(child_pid), "the child has ended")
    else:
        os.kill(child_pid, signal.SIGKILL)  # nobody was left to do it


@pytest.mark.parametrize(
    ("inputs", "error"),
    [
        ({"../out": Path("/tmp")}, BadName),
        ({"/etc": Path("/tmp")}, BadName),
        ({"": Path("/tmp")}, BadName),
        ({"datasets/a/b": Path("/does/not/exist")}, MissingFolder),
    ],
)
def test_inputs_that_cannot_be_mounted(
    run: Callable[..., tuple[int, list[Record]]], inputs: dict[str, Path], error: type[LocalKaggleError]
) -> None:
    """Mount paths stay below input/, and folders must be there."""
    with pytest.raises(error):
        run("pass", inputs=inputs)


def test_a_root_is_used_once(run: Callable[..., tuple[int, list[Record]]]) -> None:
    """A root with an earlier session's folders is refused, so that old output is never taken for new."""
    run("pass")
    with pytest.raises(RootInUse, match="fresh folder"):
        run("pass")


def test_states_are_kaggles() -> None:
    """The names are those of kagglesdk's enumeration, and exactly the three ends are final."""
    assert {state for state in State if state.final} == {State.COMPLETE, State.ERROR, State.CANCEL_ACKNOWLEDGED}
