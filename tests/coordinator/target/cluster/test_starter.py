"""The program that runs in a job: one run, several starts, one log."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from coordinator.target.cluster import ClusterPlace
from coordinator.target.cluster.starter import REQUEUE
from coordinator.target.protocol import RunState
from coordinator.target.slurm.states import session_state
from tests.coordinator.target.cluster.places import claimed, place as place, place_at, start

GOES_ON = """\
import json, os, signal, sys, time
def saved(*_):
    open("state.pth", "a").write("s")
    sys.exit(143)
signal.signal(signal.SIGTERM, saved)
print(f"begun {os.environ.get('COORD_OVERRIDES')}\\n", end="")  # in one piece: it may be ended at once
if "COORD_OVERRIDES" not in os.environ:
    time.sleep(60)
"""
LOADS = """\
import time
with open("config.json", "w") as config, open("metrics.json", "a") as metrics:
    config.write(f"same")
    metrics.write("x")
print("begun\\n", end="")
time.sleep(60)
"""
"""A program that is still loading when it is stopped."""


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def _change(folder: Path, **values: object) -> None:
    meta = json.loads((folder / "meta.json").read_text())
    (folder / "meta.json").write_text(json.dumps(meta | values))


def _text(place: ClusterPlace, ref: object) -> str:
    return "".join(record.data for record in place.log(ref))  # type: ignore[arg-type]


def _begun(folder: Path, times: int = 1) -> None:
    log = folder / "log.jsonl"
    _until(lambda: log.exists() and log.read_text().count("begun") == times)


def test_a_kernel_runs_as_on_kaggle(place: ClusterPlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x.csv").write_text("1")
    for name, value in {"RANK": "3", "COORD_OVERRIDES": "{}", "KAGGLE_KEY": "k", "TMPDIR": "/no/such"}.items():
        monkeypatch.setenv(name, value)
    ref, folder = claimed(
        place,
        "import os, sys\n"
        "print(open(os.environ['COORD_KAGGLE_ROOT'] + '/input/datasets/ada/x/x.csv').read(), sorted(set(os.environ)"
        " & {'RANK', 'KAGGLE_KEY', 'COORD_OVERRIDES'}), os.access(os.environ['TMPDIR'], os.W_OK))\n"
        "print('err', file=sys.stderr)\nopen('metrics.json', 'w').write('{\"status\": \"complete\"}')\nsys.exit(3)",
    )
    _change(folder, inputs={"datasets/ada/x": str(tmp_path / "data")})
    assert start(folder).wait() == 3
    texts = ["".join(each.data for each in place.log(ref) if each.stream == stream) for stream in ("stdout", "stderr")]
    assert texts == ["1 [] True\n", "err\n"]
    (record,) = place.records([ref])
    assert (record.code, record.following, record.claim, record.status) == (3, "end", "7", "complete")
    assert len(record.attempts) == 1
    assert record.attempts[0].ended is not None


def test_a_run_is_one_jobs(place: ClusterPlace) -> None:
    ref, folder = claimed(place, "print('once')")
    jobs = [start(folder, job) for job in ("1", "2", "3")]
    assert [job.wait() for job in jobs] == [0, 0, 0]
    assert start(folder, "4").wait() == 0
    assert start(folder, place.records([ref])[0].claim).wait() == 0, "an ended run does not start again"
    assert _text(place, ref) == "once\n"
    assert len(place.records([ref])[0].attempts) == 1


def test_a_warned_kernel_saves_and_goes_on(place: ClusterPlace) -> None:
    ref, folder = claimed(place, GOES_ON)
    _change(folder, resume={"setting": "train.resume_from", "continues": False}, requeues=1)
    job = start(folder)
    _begun(folder)
    job.send_signal(signal.SIGUSR1)
    assert job.wait() == REQUEUE
    assert start(folder).wait() == 0
    (record,) = place.records([ref])
    assert [each.reason for each in record.attempts] == ["time limit", ""]
    assert (record.code, record.following) == (0, "end")
    text = _text(place, ref)
    assert text.startswith("begun None\ncoord: start 2 of the run")
    assert text.endswith('it goes on from its own output\nbegun {"train.resume_from": "."}\n')
    times = [each.time for each in place.log(ref)]
    assert times == sorted(times), "one log, with one clock"


def test_a_warning_for_all_processes_is_the_starters(place: ClusterPlace) -> None:
    """Slurm tells all of them if srun has started the job's program, as it does for a container of its own."""
    ref, folder = claimed(place, GOES_ON + "import subprocess\nsubprocess.run(['sleep', '60'])\n")
    _change(folder, resume={"setting": "train.resume_from", "continues": False}, requeues=1)
    job = start(folder)
    _begun(folder)
    for process in psutil.Process(job.pid).children(recursive=True):
        process.send_signal(signal.SIGUSR1)
    time.sleep(0.2)
    job.send_signal(signal.SIGUSR1)
    assert job.wait() == REQUEUE
    assert (folder / "working" / "state.pth").read_text() == "s"
    assert place.records([ref])[0].code == 143


def test_the_limit_of_requeues(place: ClusterPlace) -> None:
    ref, folder = claimed(place, GOES_ON)
    _change(folder, resume={"setting": "train.resume_from", "continues": False}, requeues=0)
    job = start(folder)
    _begun(folder)
    job.send_signal(signal.SIGUSR1)
    assert job.wait() == 143
    (record,) = place.records([ref])
    assert (record.following, record.signal) == ("end", "USR1")


def test_starts_that_save_nothing_are_no_endless_loop(place: ClusterPlace) -> None:
    """The second in a row that the limit stops is the last one; the log and the state say why and what to do."""
    ref, folder = claimed(place, LOADS)
    _change(folder, resume={"setting": "train.resume_from", "continues": False}, requeues=9)
    warnings = [(signal.SIGUSR1, 85), (signal.SIGTERM, 143), (signal.SIGUSR1, 85), (signal.SIGUSR1, 143)]
    said = [""]
    for number, (warning, code) in enumerate(warnings, 1):
        job = start(folder)
        _begun(folder, number)
        job.send_signal(warning)
        assert job.wait() == code
        (record,) = place.records([ref])
        state = session_state(record, {"state": "PENDING", "reason": "BeginTime"}, None)
        assert record.idle == number - 1, "metrics.json and a file with the same text are nothing new"
        said.append(state.message)
    assert said[1] == "Slurm: BeginTime"
    assert said[2].startswith("start 2 had saved nothing new when stopped: jobs that are not preempted")
    assert said[3].startswith(
        "its last 2 starts had saved nothing new when the time limit came: it needs a longer `time`"
    )
    assert state.state is RunState.ERROR
    assert said[4].startswith("its time limit stopped it, in start 4; its last 3 starts had saved nothing new")
    text = _text(place, ref)
    assert text.count("before it had saved anything new") == 3
    assert text.count("the run ends, for another start would not come further. Its time limit is too short") == 1


def test_a_start_that_saves_is_progress(place: ClusterPlace) -> None:
    """Also if it replaces a file by one of the same size: the run goes on as often as it may."""
    ref, folder = claimed(place, LOADS.replace("same", "{time.time_ns()}"))
    _change(folder, resume={"setting": "train.resume_from", "continues": False}, requeues=9)
    for number in (1, 2, 3):
        job = start(folder)
        _begun(folder, number)
        job.send_signal(signal.SIGUSR1)
        assert job.wait() == REQUEUE
    (record,) = place.records([ref])
    assert (record.idle, record.stalled) == (0, "")


def test_a_kernel_that_cannot_go_on_uses_its_time(place: ClusterPlace) -> None:
    """It is not stopped by the warning; where the engine starts it again, it begins in an empty folder."""
    ref, folder = claimed(
        place,
        "import os, time\nprint(f'begun {os.listdir()}')\nopen('part', 'w')\n"
        "time.sleep(60 if os.environ.get('FIRST') else 0)",
    )
    os.environ["FIRST"] = "1"
    try:
        job = start(folder)
    finally:
        del os.environ["FIRST"]
    _begun(folder)
    job.send_signal(signal.SIGUSR1)
    with pytest.raises(subprocess.TimeoutExpired):
        job.wait(0.3)
    job.send_signal(signal.SIGTERM)
    assert job.wait() == 143
    assert place.records([ref])[0].following == "wait"
    assert start(folder).wait() == 0
    (record,) = place.records([ref])
    assert [each.reason for each in record.attempts] == ["preempted", ""]
    assert _text(place, ref).count("begun []") == 2


def test_a_continued_run_needs_a_state_of_its_own(place: ClusterPlace) -> None:
    """Before it has saved one, it goes on from the run that it continues."""
    ref, folder = claimed(place, GOES_ON.replace('open("state.pth", "a").write("s")', "pass"))
    _change(folder, resume={"setting": "train.resume_from", "continues": True}, requeues=1)
    for number in (1, 2):
        job = start(folder)
        _begun(folder, number)
        (folder / "working" / "state.pth").unlink(missing_ok=True)
        job.send_signal(signal.SIGUSR1)
        job.wait()
    assert _text(place, ref).count("begun None") == 2


def test_a_cancelled_run_does_not_come_back(place: ClusterPlace) -> None:
    ref, folder = claimed(place, "import time\nprint('begun\\n', end='')\ntime.sleep(60)")
    _change(folder, resume={"setting": "train.resume_from", "continues": False}, requeues=3)
    job = start(folder)
    _begun(folder)
    place.far.ask("cancel", ref=["ada", "smoke", 1])
    job.send_signal(signal.SIGTERM)
    assert job.wait() == 143
    assert start(folder).wait() == 0
    (record,) = place.records([ref])
    assert (record.is_cancelled, record.following) == (True, "end")
    assert [each.reason for each in record.attempts] == ["cancelled"]
    assert "before it had saved" not in _text(place, ref)


def test_cancelled_before_its_start(place: ClusterPlace) -> None:
    ref, folder = claimed(place, "print('never')")
    place.far.ask("cancel", ref=["ada", "smoke", 1])
    start(folder).wait()
    assert _text(place, ref) == ""
    assert place.records([ref])[0].following == "end"


def test_a_killed_start_is_followed_by_another(place: ClusterPlace) -> None:
    ref, folder = claimed(
        place, "print('begun', flush=True)\nimport time, os\ntime.sleep(0 if 'X' in os.environ else 60)"
    )
    job = start(folder)
    _begun(folder)
    job.kill()
    job.wait()
    os.environ["X"] = "1"
    try:
        assert start(folder).wait() == 0
    finally:
        del os.environ["X"]
    (record,) = place.records([ref])
    assert [each.reason for each in record.attempts] == ["node failed", ""]


def test_what_a_kernel_leaves_behind_ends_with_it(place: ClusterPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coordinator.target.cluster.place._STARTER", _impatient(place))
    ref, folder = claimed(place, "import subprocess\nprint(subprocess.Popen(['sleep', '60']).pid)")
    assert start(folder).wait() == 0
    pid = int(_text(place, ref))
    _until(lambda: not Path(f"/proc/{pid}").exists() or "zombie" in Path(f"/proc/{pid}/status").read_text())


def _impatient(place: ClusterPlace) -> Path:
    from coordinator.target.cluster import starter

    text = Path(str(starter.__file__)).read_text().replace("PATIENCE = 5.0", "PATIENCE = 0.2")
    changed = Path(place.far.root).parent / "starter.py"
    changed.write_text(text)
    return changed


def test_the_end_is_recorded_on_a_full_disk(tmp_path: Path) -> None:
    """The kernel fills the disk: its end, and that its log has a gap, are in the room that the push has reserved."""
    if os.geteuid():
        pytest.skip("needs root, for a small file system")
    root = tmp_path / "small"
    root.mkdir()
    assert os.system(f"mount -t tmpfs -o size=600k tmpfs {root}") == 0
    try:
        place = place_at(root)
        ref, folder = claimed(
            place,
            "import os, time\nprint('begun', flush=True)\n"
            "while not os.path.exists('../log.jsonl'): time.sleep(0.05)\n"
            "try:\n    open('big', 'wb', 0).write(bytes(1 << 20)); open('more', 'wb', 0).write(bytes(1 << 20))\n"
            "except OSError as error:\n    print(error, flush=True)\n    raise SystemExit(4)",
        )
        assert start(folder).wait() == 4
        (record,) = place.records([ref])
        assert (record.code, record.following) == (4, "end")
        assert _text(place, ref).startswith("begun\n")
    finally:
        os.system(f"umount {root}")


def test_a_live_log_is_followed(place: ClusterPlace, tmp_path: Path) -> None:
    """Who stops reading has missed nothing later; what tells the far side that somebody reads is no part of a log."""
    quick = tmp_path / "quick.py"
    quick.write_text("NOTHING_EVERY = 0.05\n")
    place = ClusterPlace("uni", "ada", dataclasses.replace(place.far, parts=(quick,)))
    ref, folder = claimed(
        place, "import time\nfor n in range(3):\n    print(f'line {n}\\n', end='')\n    time.sleep(0.5)"
    )
    job = start(folder)
    seen = place.follow(ref, idle_seconds=20)
    text = ""
    while "line 1" not in text:
        text += next(seen).data
    seen.close()  # type: ignore[attr-defined]
    assert "".join(record.data for record in place.follow(ref, idle_seconds=20)) == "line 0\nline 1\nline 2\n"
    assert job.wait() == 0
    assert _text(place, ref) == "line 0\nline 1\nline 2\n"
