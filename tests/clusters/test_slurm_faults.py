"""What breaks between coord and Slurm: at whatever moment, a push is one job and a run that runs once."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from pathlib import Path

import psutil
import pytest

from coordinator.bundle import stamp_of
from coordinator.errors import NoAnswer, NotSent, TargetError
from coordinator.target.cluster.shell import Ssh
from coordinator.target.kernel_ref import KernelRef
from coordinator.target.protocol import RunState
from coordinator.target.slurm.client import Slurm
from tests.clusters.engines import Slurm as Engine, SshHost, free_ports
from tests.clusters.slurm_target import (
    SAVES,
    ended,
    kernel,
    metadata,
    push,
    running,
    target_at,
    text_of,
    uni as uni,
    until,
)
from tests.paths import ROOT

ONCE = "print('once')\nimport time\ntime.sleep(0.5)"


def _killed_sbatch(folder: Path, before: str) -> None:
    """A real sbatch that is killed once: before it has sent anything, or when the job is made and before it says so."""
    real = subprocess.run(["which", "sbatch"], capture_output=True, text=True, check=True).stdout.strip()
    folder.mkdir()
    lines = {"sent": "kill -9 $$", "answered": f'{real} "$@" >/dev/null; kill -9 $$'}[before]
    (folder / "sbatch").write_text(
        f'#!/bin/bash\ncase "$*" in *test-only*) exec {real} "$@";; esac\n'
        f'if mkdir {folder}/killed 2>/dev/null; then {lines}; fi\nexec {real} "$@"\n'
    )
    (folder / "sbatch").chmod(0o755)


def _jobs(engine: Engine, target: Slurm) -> int:
    """How many jobs there were for the first version of the kernel."""
    folders = engine("squeue", "-h", "-t", "all", "-o", "%Z").split()
    return folders.count(f"{target.far.root}/kernels/ada/smoke/v1")


def test_an_sbatch_that_was_killed_after_its_job_was_made(
    uni: Slurm, slurm_cluster: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _killed_sbatch(tmp_path / "bin", "answered")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    ref = push(uni, ONCE)
    assert ended(uni, ref).state is RunState.COMPLETE
    assert (_jobs(slurm_cluster, uni), text_of(uni, ref)) == (1, "once\n")


def test_an_sbatch_that_was_killed_before_it_sent_anything(
    uni: Slurm, slurm_cluster: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The push has no answer; its version is there, and the next look at it finishes the push."""
    _killed_sbatch(tmp_path / "bin", "sent")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    with pytest.raises(NoAnswer, match="sbatch was cut off"):
        push(uni, ONCE)
    found = uni.source("ada", "smoke")
    assert found is not None
    assert stamp_of(found[1])["run"] == "run-1"
    ref = KernelRef("ada", "smoke", 1)
    assert uni.state(ref).state is RunState.QUEUED
    monkeypatch.setattr("coordinator.target.slurm.open._PART", _impatient(tmp_path))
    assert ended(target_at(Path(uni.far.root)), ref).state is RunState.COMPLETE
    assert (_jobs(slurm_cluster, uni), text_of(uni, ref)) == (1, "once\n")


def _impatient(folder: Path) -> Path:
    """The far side's part, which leaves a push less time to finish by itself."""
    text = (ROOT / "coordinator" / "target" / "slurm" / "far_slurm.py").read_text(encoding="utf-8")
    assert "YOUNG = 20.0" in text
    (folder / "far_slurm.py").write_text(text.replace("YOUNG = 20.0", "YOUNG = 0.0"))
    return folder / "far_slurm.py"


def test_a_killed_coord_at_any_moment_is_one_run(
    uni: Slurm, slurm_cluster: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pushes are killed, with what they started here, after times that lie between nothing and all of it.

    Each is pushed again by the same run, as coord does where the ledger has its intent: it ran once.
    """
    monkeypatch.setattr("coordinator.target.slurm.open._PART", _impatient(tmp_path))
    begun = time.monotonic()
    os.waitpid(_push_in_process(uni, "k"), 0)
    whole = time.monotonic() - begun
    for number in range(6):
        process = _push_in_process(uni, f"run-{number}")
        time.sleep(whole * (0.1 + 0.15 * number))
        for pid in (process, *_children(process)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
        os.waitpid(process, 0)
    refs = [push(uni, ONCE, f"run-{number}") for number in range(6)]
    assert len(set(refs)) == 6
    until(lambda: not any(state.state.is_active for state in uni.states(refs)))
    assert {state.state for state in uni.states(refs)} == {RunState.COMPLETE}
    assert [text_of(uni, ref) for ref in refs] == ["once\n"] * 6
    assert [len(state.attempts) for state in uni.states(refs)] == [1] * 6


def _push_in_process(target: Slurm, run: str) -> int:
    """A process that has coord loaded and pushes that run, so that it is killed while it pushes, not while it loads."""
    if process := os.fork():
        return process
    with contextlib.suppress(BaseException):
        push(target, ONCE, run)
    os._exit(0)


def _children(pid: int) -> list[int]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    return []


def test_a_push_that_cannot_be_finished_any_more_has_an_end(uni: Slurm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its claim was made, its job never was, and Slurm refuses it now; other runs have their states all the same."""
    monkeypatch.setattr("coordinator.target.slurm.open._PART", _impatient(Path(uni.far.root).parent))
    good = push(uni, ONCE, "run-2", slug="good")
    folder = Path(uni.claim(uni.order(metadata(), kernel(ONCE, "run-1")))[1])
    (folder / "job.sh").write_text("#!/bin/bash\n#SBATCH --partition=nope\n")
    bad, other = target_at(Path(uni.far.root)).states([KernelRef("ada", "smoke", 1), good])
    assert bad.state is RunState.ERROR
    assert bad.message.startswith("its job was refused before the kernel started: sbatch refused:")
    assert other.state is not RunState.ERROR


def test_three_jobs_of_one_run_run_it_once(uni: Slurm, slurm_cluster: Engine) -> None:
    """The worst that lost answers can do: the others wait for the first one, and find the run claimed."""
    ref = push(uni, ONCE)
    folder = f"{uni.far.root}/kernels/ada/smoke/v1"
    for _ in range(2):
        slurm_cluster("sbatch", f"--chdir={folder}", "--output=/dev/null", f"{folder}/job.sh", folder)
    assert ended(uni, ref).state is RunState.COMPLETE
    until(lambda: slurm_cluster("squeue", "-h") == "")
    assert (_jobs(slurm_cluster, uni), text_of(uni, ref)) == (3, "once\n")
    assert len(uni.state(ref).attempts) == 1


def test_a_dropped_connection_loses_and_doubles_nothing(
    slurm_cluster: Engine, ssh_host: SshHost, tmp_path: Path
) -> None:
    """While it pushes, while it reads the log, while it fetches."""
    target = target_at(tmp_path / "root", host=ssh_host.name)
    target.far.ask("place")
    dropping = threading.Timer(0.3, ssh_host.drop)
    dropping.start()
    with contextlib.suppress(NoAnswer):  # a fast machine has finished by then
        push(target, SAVES + "print('x' * 3_000_000)")
    dropping.join()
    ref = target.push(metadata(), kernel(SAVES + "print('x' * 3_000_000)", "run-1"), timeout_seconds=None).ref
    running(target, ref)
    assert ref.version == 1
    seen = []
    threading.Timer(1.0, ssh_host.drop).start()
    with contextlib.suppress(NoAnswer):
        seen += list(target.follow(ref, idle_seconds=20))
    target.cancel(ref)
    assert ended(target, ref).state is RunState.CANCELLED
    whole = target_at(tmp_path / "root").log(ref)
    assert target.log(ref) == whole, "what was read before the break, and the rest, are the log"
    assert seen == whole[: len(seen)]
    assert _jobs(slurm_cluster, target) == 1


def test_a_file_is_read_on_after_a_dropped_connection(ssh_host: SshHost, tmp_path: Path) -> None:
    target = target_at(tmp_path / "root", host=ssh_host.name)
    folder = tmp_path / "root" / "kernels" / "ada" / "smoke" / "v1"
    (folder / "working").mkdir(parents=True)
    content = os.urandom(1 << 20) * 24
    (folder / "working" / "model.pth").write_bytes(content)
    (folder / "meta.json").write_text('{"run": "run-1"}')
    (file,) = target.outputs(KernelRef("ada", "smoke", 1))
    first = target.open_output(file)
    read = next(first.chunks)
    ssh_host.drop()
    with pytest.raises(NoAnswer, match="broke off"):  # noqa: PT012 - what comes before the error is kept
        for chunk in first.chunks:
            read += chunk
    first.close()
    assert 0 < len(read) < len(content)
    rest = target.open_output(file, offset=len(read))
    assert rest.validator == first.validator
    assert read + b"".join(rest.chunks) == content
    rest.close()


def test_a_socket_that_was_left_is_replaced(ssh_host: SshHost, tmp_path: Path) -> None:
    """The shared connection's process is killed: its socket stays. The next command makes another one for all."""

    def connections() -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter(["cmdline"]):
            words = " ".join(process.info["cmdline"] or ())
            if (str(ssh_host.config) in words and "ControlMaster=yes" in words) or (path in words and "[mux]" in words):
                found.append(process)
        return found

    target = target_at(tmp_path / "root", host=ssh_host.name)
    shell = target.far.shell
    assert isinstance(shell, Ssh)
    path = shell._socket
    target.far.ask("place")
    (first,) = connections()
    first.kill()
    until(lambda: not first.is_running())
    assert Path(path).exists(), "the socket is left"
    target.far.ask("place")
    (second,) = connections()
    assert second.pid != first.pid
    target_at(tmp_path / "root", host=ssh_host.name).far.ask("place")
    assert connections() == [second], "others find it"


def test_what_ssh_says_is_explained(ssh_host: SshHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def said(host: str) -> str:
        with pytest.raises(NotSent) as error:
            target_at(tmp_path / "root", host=host).far.ask("place")
        return error.value.what

    config = ssh_host.config.read_text()
    (tmp_path / "config").write_text(
        config
        + "\nHost nowhere\n  HostName no-such-host.invalid\nHost refused\n  HostName 127.0.0.1\n  Port 1\n"
        + "\nHost other\n"
        + "".join(config.splitlines(keepends=True)[1:]).replace("IdentityFile", "IdentityFile /none #")
    )
    monkeypatch.setenv("COORD_SSH_CONFIG", str(tmp_path / "config"))
    assert said("nowhere").startswith("nowhere: there is no host of that name (ssh: Could not resolve")
    assert said("refused").startswith("refused: it refuses the connection")
    assert said("other").startswith("other: it does not accept your key")
    monkeypatch.setenv("COORD_SSH_CONFIG", str(tmp_path / "none"))
    assert "ssh's configuration is not there" in said("cluster")


def test_a_controller_that_is_away_is_no_answer(uni: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is known then, and nothing is made."""
    (port,) = free_ports(1)
    here = Path(os.environ["SLURM_CONF"])
    conf = "".join(
        f"SlurmctldPort={port}\n" if line.startswith("SlurmctldPort=") else line
        for line in here.read_text().splitlines(keepends=True)
    )
    for name, text in (
        ("slurm.conf", f"{conf}MessageTimeout=1\n"),
        ("gres.conf", (here.parent / "gres.conf").read_text()),
    ):
        (tmp_path / name).write_text(text)
    monkeypatch.setenv("SLURM_CONF", str(tmp_path / "slurm.conf"))
    with pytest.raises(NoAnswer, match="Unable to contact slurm controller"):
        push(uni, ONCE)
    assert uni.source("ada", "smoke") is None


def test_a_disk_that_is_full_on_the_far_side(slurm_cluster: Engine, tmp_path: Path) -> None:
    """While a kernel runs: it fails with its own error, whose end is recorded; and while one is pushed."""
    if os.geteuid():
        pytest.skip("needs root, for a small file system")
    assert slurm_cluster.environment
    root = tmp_path / "small"
    root.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", root], check=True)
    try:
        target = target_at(root)
        ref = push(
            target,
            "print('begun')\nwith open('big', 'wb', 0) as file:\n    while file.write(bytes(4096)) == 4096: pass",
        )
        state = ended(target, ref)
        assert (state.state, state.message) == (RunState.ERROR, "the kernel ended with code 1")
        with pytest.raises(TargetError, match="No space left on device") as full:
            push(target, "print()", "run-2")
        assert "Make room below" in str(full.value.hint)
        found = target.source("ada", "smoke")
        assert found is not None
        assert found[0] == 1
    finally:
        subprocess.run(["umount", "-l", root], check=True)
