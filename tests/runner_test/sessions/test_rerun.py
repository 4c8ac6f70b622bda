"""Reruns of submitted kernels with hidden data: what they find, how they are scored, and how they fail."""

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import requests
from kagglesdk.competitions.types.competition_api_service import ApiDownloadSubmissionRequest

from runner_test.server import running_server
from runner_test.sessions import isolation
from runner_test.sessions.execute import Outcome, Stopped
from runner_test.sessions.gateway import judged
from runner_test.sessions.log import lines_from
from runner_test.settings import DEFAULTS, Settings
from runner_test.state import Failure, Reference, Result, locks, reruns, submissions
from runner_test.store import Store
from tests.runner_test.contest import PREDICTS, SERVES, Contest, hide
from tests.runner_test.local import PLAIN, Local, alive, eventually, fill, new_version

needs_isolation = pytest.mark.skipif(isolation.problem() is not None, reason=str(isolation.problem()))

# In the rerun it executes again.py of the hidden data: one session on the visible data is enough for all cases.
SOLVES = PREDICTS + "exec(open(data + '/again.py').read()) if again else write(rows)"


def _contest(folder: Path, settings: Settings, text: str) -> Iterator[Contest]:
    """`parity`, and a complete kernel `me/solver` that can be submitted to it."""
    store = Store(folder / "kaggle", settings=settings)
    with running_server(store.root, settings=settings) as server:
        contest = hide(Local(server.url, store), folder)
        _complete(store, "solver", text)
        yield contest


def _complete(store: Store, slug: str, text: str, *kernels: str) -> None:
    """Save a version and wait for its end."""
    pushed = replace(new_version(text), title=slug, competition_sources=("parity",), kernel_sources=kernels)
    version = store.save(Reference("me", slug), pushed)
    eventually(lambda: store.progress(version).state.final, f"{slug} has ended")
    assert store.progress(version).exit_code == 0, store.paths(version).log.read_text()


@pytest.fixture(scope="module")
def contest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Contest]:
    """A code competition with hidden data, and a kernel whose rerun does what again.py of the hidden data says."""
    yield from _contest(tmp_path_factory.mktemp("hidden"), PLAIN, SOLVES)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Contest]:
    """The same with a kernel that serves, and with again.py in the visible data, where such a kernel reads it."""
    yield from _contest(tmp_path_factory.mktemp("served"), PLAIN, SERVES)


def _again(contest: Contest, text: str, **fields: str) -> int:
    """Submit the kernel, whose rerun executes `text`; the number of the submission."""
    for name in ("visible", "hidden"):
        (contest.folder / name / "again.py").write_text(text)
    return int(contest.code("solver", **fields).ref)


def _result(contest: Contest, ref: int) -> Result:
    """The result of a submission, with what only the host sees. Waits for it without requests, which take more time."""
    root = contest.local.store.root
    entry = submissions.entry_of(root, ref)
    assert entry is not None
    eventually(lambda: submissions.result_of(root, entry).status != "PENDING", "it has run again and is scored")
    return submissions.result_of(root, entry)


def _scored(contest: Contest, ref: int) -> tuple[str, str, str, str]:
    """What the participant sees in the end."""
    _result(contest, ref)
    return contest.scored(ref)


def _paths(contest: Contest, ref: int) -> reruns.RerunPaths:
    return reruns.rerun_paths(submissions.submission_folder(contest.local.store.root, ref))


def _log(contest: Contest, ref: int) -> str:
    lines, _ = lines_from(_paths(contest, ref).kernel.log, 0)
    return "".join(json.loads(line)["data"] for line in lines)


def test_the_hidden_rows_are_scored(contest: Contest) -> None:
    """A kernel that wrote three rows writes thirty in the rerun, which count; nobody is given them, or the log."""
    ref = _again(contest, "write(rows)")
    assert _scored(contest, ref) == ("COMPLETE", "1.00000", "1.00000", "")
    assert "30 rows 1" in _log(contest, ref)
    assert "3 rows None" in contest.local.log_text("solver")
    assert (contest.local.working("solver") / "submission.csv").read_text().count("\n") == 4
    assert contest.get(ref).total_bytes == 0
    with pytest.raises(requests.HTTPError, match="can't be downloaded"):
        contest.api().download_submission(fill(ApiDownloadSubmissionRequest(), submission_id=ref))


@pytest.mark.parametrize(
    ("text", "failure", "detail"),
    [
        ("open(data + '/train.csv')", Failure.EXCEPTION, "The script ended with exit code 1."),
        ("import time; time.sleep(60)", Failure.TIMEOUT, "its time limit of 1 seconds"),
        ("print('no file')", Failure.NO_FILE, "There is no submission.csv."),
        ("write(rows[:3])", Failure.FORMAT, "submission.csv has no row for n10"),
    ],
)
def test_a_kernel_that_only_the_rerun_breaks(contest: Contest, text: str, failure: Failure, detail: str) -> None:
    """ERROR with Kaggle's name for it; only the host is told more. It counts against the day's limit."""
    hide(contest.local, contest.folder, time_limit=1 if failure is Failure.TIMEOUT else 0)
    before = contest.limits()[0]
    ref = _again(contest, text)
    assert _scored(contest, ref) == ("ERROR", "", "", failure.message)
    assert detail in (_result(contest, ref).detail or "")
    assert contest.limits()[0] == before + 1
    named = reruns.only_visible(_log(contest, ref), contest.folder / "visible", contest.folder / "hidden")
    assert named == (["train.csv"] if failure is Failure.EXCEPTION else [])


def test_a_rerun_reads_what_its_version_read(contest: Contest) -> None:
    """The version of an attached kernel that the submitted version had, although there is a newer one.

    The scorer gets a parquet file as it is. (This one reads any text.)
    """
    store = contest.local.store
    reads = "print('read', open(root + '/input/notebooks/me/the-base/word.txt').read())"
    _complete(store, "the-base", "open('word.txt', 'w').write('first')")
    _complete(store, "reads-base", f"{PREDICTS}write(rows, 'submission.parquet')\n{reads}", "me/the-base")
    _complete(store, "the-base", "open('word.txt', 'w').write('second')")
    ref = contest.code("reads-base", file_name="submission.parquet").ref
    assert _scored(contest, ref)[:2] == ("COMPLETE", "1.00000")
    assert "read first" in _log(contest, ref)


def test_a_rerun_whose_process_dies(contest: Contest) -> None:
    """It is Kaggle's error, which costs nothing; the kernel has ended, and the next rerun can run."""
    before = contest.limits()[0]
    ref = _again(contest, "import time; print('ready', os.getpid(), flush=True); time.sleep(60)")
    assert contest.get(ref).status.name == "PENDING"
    eventually(lambda: "ready" in _log(contest, ref), "it runs")
    pid = int(_log(contest, ref).split()[-1])
    launcher = psutil.Process(pid).parent()
    assert launcher is not None
    supervisor = launcher.ppid()
    diary = submissions.submission_folder(contest.local.store.root, ref) / "scoring.log"
    assert str(diary) in [file.path for file in psutil.Process(supervisor).open_files()]
    os.kill(supervisor, signal.SIGKILL)
    assert _scored(contest, ref) == ("ERROR", "", "", submissions.LOST_RERUN)
    eventually(lambda: not alive(pid), "the kernel has ended")
    assert contest.limits()[0] == before
    assert not locks.is_held(contest.local.store.root / "slots" / "rerun.lock")


@pytest.mark.parametrize(
    ("text", "time_limit", "failure", "detail"),
    [
        ("def predict(row): return 1 / 0", 0, Failure.EXCEPTION, "SERVER_RAISED_EXCEPTION: ZeroDivisionError"),
        ("import time\ndef predict(row): time.sleep(60)", 2, Failure.TIMEOUT, "its time limit of 2 seconds"),
    ],
)
def test_a_server_that_breaks_in_the_rerun(
    served: Contest, text: str, time_limit: float, failure: Failure, detail: str
) -> None:
    """The gateway finds the server without isolation, too. What the server does wrong is the notebook's failure."""
    program = served.folder / "visible" / "kaggle_evaluation" / "parity_gateway.py"
    hide(served.local, served.folder, gateway=str(program), time_limit=time_limit)
    ref = _again(served, text)
    assert _scored(served, ref) == ("ERROR", "", "", failure.message)
    assert detail in (_result(served, ref).detail or "")


def test_a_gateway_that_fails(served: Contest) -> None:
    """The fault is the host's: it costs the participant nothing, and the host has its log."""
    before = served.limits()[0]
    program = served.folder / "gateway.py"
    program.write_text("raise SystemExit('no data')")
    hide(served.local, served.folder, gateway=str(program))
    ref = _again(served, "")
    assert _scored(served, ref) == ("ERROR", "", "", Failure.KAGGLE.message)
    assert "exit code 1" in (_result(served, ref).detail or "")
    assert "no data" in _paths(served, ref).gateway.log.read_text()
    assert served.limits()[0] == before


ENDED, FAILED = Outcome(0, None), Outcome(1, None)


@pytest.mark.parametrize(
    ("outcome", "result", "of_kernel", "failure"),
    [
        (ENDED, {}, None, None),  # a gateway of another kind
        (ENDED, {"Succeeded": True}, Failure.EXCEPTION, None),  # the server broke when all was done
        (ENDED, {"ErrorName": "SERVER_NEVER_STARTED"}, None, Failure.NEVER_STARTED),
        (ENDED, {"ErrorName": "SERVER_CONNECTION_FAILED"}, None, Failure.SERVER_ERROR),
        (ENDED, {"ErrorName": "SERVER_CONNECTION_FAILED"}, Failure.TIMEOUT, Failure.TIMEOUT),
        (ENDED, {"ErrorName": "SERVER_MISSING_ENDPOINT"}, None, Failure.SERVER_ERROR),
        (ENDED, {"ErrorName": "GRPC_DEADLINE_EXCEEDED"}, None, Failure.SERVER_ERROR),
        (ENDED, {"ErrorName": "INVALID_SUBMISSION"}, None, Failure.FORMAT),
        (ENDED, {"ErrorName": "GATEWAY_RAISED_EXCEPTION"}, None, Failure.KAGGLE),
        (FAILED, {}, Failure.EXCEPTION, Failure.EXCEPTION),
        (FAILED, {}, None, Failure.KAGGLE),
        (Outcome(-9, Stopped.CANCELLED), {}, None, Failure.NEVER_STARTED),
        (Outcome(-9, Stopped.LIMIT), {}, None, Failure.KAGGLE),
    ],
)
def test_what_a_gateway_reports(
    outcome: Outcome, result: dict[str, object], of_kernel: Failure | None, failure: Failure | None
) -> None:
    """The kit's names for what went wrong, and the ends of both processes, become Kaggle's names."""
    assert judged(outcome, result, of_kernel)[0] == failure


LOOKS = """
import socket
def reachable(host):
    try:
        return bool(socket.create_connection((host, 53), timeout=1))
    except OSError:
        return False
def predict(row):
    print(sorted(os.listdir(data)), reachable("8.8.8.8"), os.path.exists({hidden!r}), os.listdir("/kaggle/shared"))
    return int(row["value"]) % 2
"""


@needs_isolation
def test_an_isolated_gateway(tmp_path: Path) -> None:
    """The gateway finds the server by its name; the kernel sees neither the hidden data nor a network.

    A kernel that ends without serving takes its name with it.
    """
    for contest in _contest(tmp_path, DEFAULTS, SERVES):
        gateway = str(tmp_path / "hidden" / "kaggle_evaluation" / "parity_gateway.py")
        hide(contest.local, tmp_path, gateway=gateway)
        ref = _again(contest, LOOKS.format(hidden=str(tmp_path / "hidden")))
        assert _scored(contest, ref) == ("COMPLETE", "1.00000", "1.00000", ""), _result(contest, ref)
        assert "'train.csv'] False False []" in _log(contest, ref)
        never = _again(contest, "raise SystemExit")
        assert _scored(contest, never) == ("ERROR", "", "", Failure.NEVER_STARTED.message)
        assert "name resolution" in (_result(contest, never).detail or "")
