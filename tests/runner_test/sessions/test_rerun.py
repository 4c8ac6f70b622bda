"""Reruns of submitted kernels with hidden data: what they find, how they are scored, and how they fail."""

import json
import os
import signal
from pathlib import Path

import psutil
import pytest
import requests
from kagglesdk.competitions.types.competition_api_service import ApiDownloadSubmissionRequest

from runner_test.sessions import isolation
from runner_test.sessions.execute import Outcome, Stopped
from runner_test.sessions.gateway import judged
from runner_test.sessions.log import lines_from
from runner_test.state import Failure, Result, locks, reruns, submissions
from tests.runner_test.contest import PREDICTS, SERVES, Contest, hide, submitted
from tests.runner_test.local import Local, alive, eventually, fill

needs_isolation = pytest.mark.skipif(isolation.problem() is not None, reason=str(isolation.problem()))


def _result(contest: Contest, ref: int) -> Result:
    """The result of a submission, with what only the host sees."""
    contest.scored(ref)
    root = contest.local.store.root
    entry = submissions.entry_of(root, ref)
    assert entry is not None
    return submissions.result_of(root, entry)


def _paths(contest: Contest, ref: int) -> reruns.RerunPaths:
    return reruns.rerun_paths(submissions.submission_folder(contest.local.store.root, ref))


def _log(contest: Contest, ref: int) -> str:
    lines, _ = lines_from(_paths(contest, ref).kernel.log, 0)
    return "".join(json.loads(line)["data"] for line in lines)


def test_the_hidden_rows_are_scored(code_contest: Contest) -> None:
    """A kernel that wrote three rows writes thirty in the rerun, which count; nobody is given them, or the log."""
    ref = submitted(code_contest, PREDICTS + "write(rows)")
    assert code_contest.scored(ref) == ("COMPLETE", "1.00000", "1.00000", "")
    assert "30 rows 1" in _log(code_contest, ref)
    assert "3 rows None" in code_contest.local.log_text("solver")
    assert (code_contest.local.working("solver") / "submission.csv").read_text().count("\n") == 4
    assert code_contest.get(ref).total_bytes == 0
    with pytest.raises(requests.HTTPError, match="can't be downloaded"):
        code_contest.api().download_submission(fill(ApiDownloadSubmissionRequest(), submission_id=ref))


@pytest.mark.parametrize(
    ("text", "failure", "detail"),
    [
        ("write(rows)\nopen(data + '/train.csv')", Failure.EXCEPTION, "The script ended with exit code 1."),
        ("write(rows)\nimport time\ntime.sleep(60 * again)", Failure.TIMEOUT, "its time limit of 2 seconds"),
        ("again or write(rows)", Failure.NO_FILE, "There is no submission.csv."),
        ("write(rows[:3])", Failure.FORMAT, "submission.csv has no row for n10"),
    ],
)
def test_a_kernel_that_only_the_rerun_breaks(
    local: Local, tmp_path: Path, text: str, failure: Failure, detail: str
) -> None:
    """ERROR with Kaggle's name for it; only the host is told more. It counts against the day's limit."""
    contest = hide(local, tmp_path, time_limit=2)
    ref = submitted(contest, PREDICTS + text)
    assert contest.scored(ref) == ("ERROR", "", "", failure.message)
    assert detail in (_result(contest, ref).detail or "")
    assert contest.limits() == (1, 1, 4)
    log = _log(contest, ref)
    named = reruns.only_visible(log, tmp_path / "visible", tmp_path / "hidden")
    assert named == (["train.csv"] if failure is Failure.EXCEPTION else [])


def test_a_rerun_reads_what_its_version_read(code_contest: Contest) -> None:
    """The version of an attached kernel that the submitted version had, although there is a newer one.

    The scorer gets a parquet file as it is. (This one reads any text.)
    """
    contest, local = code_contest, code_contest.local
    local.run("the-base", "open('word.txt', 'w').write('first')")
    reads = "print('read', open(root + '/input/notebooks/me/the-base/word.txt').read())"
    text = f"{PREDICTS}write(rows, 'submission.parquet')\n{reads}"
    attached = {"competition_data_sources": ["parity"], "kernel_data_sources": ["me/the-base"]}
    local.run("solver", text, enable_internet=False, **attached)
    local.run("the-base", "open('word.txt', 'w').write('second')")
    ref = contest.code("solver", file_name="submission.parquet").ref
    assert contest.scored(ref)[:2] == ("COMPLETE", "1.00000")
    assert "read first" in _log(contest, ref)


WAITS = """
write(rows)
import time
print("ready", os.getpid(), flush=True)
while again:
    time.sleep(0.01)
"""


def test_a_rerun_whose_process_dies(code_contest: Contest) -> None:
    """It is Kaggle's error, which costs nothing; the kernel has ended, and the next rerun can run."""
    contest = code_contest
    ref = submitted(contest, PREDICTS + WAITS)
    assert contest.get(ref).status.name == "PENDING"
    eventually(lambda: "ready" in _log(contest, ref), "it runs")
    pid = int(_log(contest, ref).split()[-1])
    launcher = psutil.Process(pid).parent()
    assert launcher is not None
    supervisor = launcher.ppid()
    assert "runner_test.sessions.rerun" in psutil.Process(supervisor).cmdline()
    os.kill(supervisor, signal.SIGKILL)
    assert contest.scored(ref) == ("ERROR", "", "", submissions.LOST_RERUN)
    eventually(lambda: not alive(pid), "the kernel has ended")
    assert contest.limits()[0] == 0
    assert not locks.is_held(contest.local.store.root / "slots" / "rerun.lock")


GOOD = "main(ParityInferenceServer(predict))"


@pytest.mark.parametrize(
    ("body", "time_limit", "failure", "detail"),
    [
        ("return 1 // (not again)", 0, Failure.EXCEPTION, "SERVER_RAISED_EXCEPTION: ZeroDivisionError"),
        ("return __import__('time').sleep(60) if again else 1", 3, Failure.TIMEOUT, "its time limit of 3 seconds"),
    ],
)
def test_a_server_that_breaks_in_the_rerun(
    local: Local, tmp_path: Path, body: str, time_limit: float, failure: Failure, detail: str
) -> None:
    """The gateway finds the server without isolation, too. What the server does wrong is the notebook's failure."""
    gateway = str(tmp_path / "visible" / "kaggle_evaluation" / "parity_gateway.py")
    contest = hide(local, tmp_path, gateway=gateway, time_limit=time_limit)
    ref = submitted(contest, f"{SERVES}def predict(row):\n    {body}\n{GOOD}")
    assert contest.scored(ref) == ("ERROR", "", "", failure.message)
    assert detail in (_result(contest, ref).detail or "")


def test_a_gateway_that_fails(local: Local, tmp_path: Path) -> None:
    """The fault is the host's: it costs the participant nothing, and the host has its log."""
    program = tmp_path / "gateway.py"
    program.write_text("raise SystemExit('no data')")
    contest = hide(local, tmp_path, gateway=str(program))
    ref = submitted(contest, SERVES + GOOD)
    assert contest.scored(ref) == ("ERROR", "", "", Failure.KAGGLE.message)
    assert "exit code 1" in (_result(contest, ref).detail or "")
    assert "no data" in _paths(contest, ref).gateway.log.read_text()
    assert contest.limits()[0] == 0


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
    if again:
        print("seen", sorted(os.listdir("/kaggle/input/competitions/parity")), reachable("8.8.8.8"), flush=True)
        print(os.path.exists({hidden!r}), os.listdir("/kaggle/shared"), len(open(data + "/test.csv").readlines()))
    return int(row["value"]) % 2
"""


@needs_isolation
def test_an_isolated_gateway(isolated: Local, tmp_path: Path) -> None:
    """The gateway finds the server by its name; the kernel sees neither the hidden data nor a network."""
    gateway = str(tmp_path / "hidden" / "kaggle_evaluation" / "parity_gateway.py")
    contest = hide(isolated, tmp_path, gateway=gateway)
    ref = submitted(contest, SERVES + LOOKS.format(hidden=str(tmp_path / "hidden")) + GOOD)
    assert contest.scored(ref) == ("COMPLETE", "1.00000", "1.00000", ""), _result(contest, ref)
    log = _log(contest, ref)
    assert "'train.csv'] False" in log
    assert "False [] 4" in log
    never = submitted(contest, SERVES + "again or " + GOOD, "never")
    assert contest.scored(never) == ("ERROR", "", "", Failure.NEVER_STARTED.message)
    assert "name resolution" in (_result(contest, never).detail or "")
