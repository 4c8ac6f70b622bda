"""The engines of these tests are real, and nothing of them is left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from tests.clusters import keeper
from tests.clusters.engines import GPUS, RayHead, Slurm, SshHost


def test_slurm_runs_a_job_with_a_gpu(slurm_cluster: Slurm, tmp_path: Path) -> None:
    script = tmp_path / "job.sh"
    script.write_text("#!/bin/bash\necho $CUDA_VISIBLE_DEVICES >gpus\n")

    slurm_cluster("sbatch", "--wait", f"--chdir={tmp_path}", "--gres=gpu:tesla_t4:2", str(script))

    assert (tmp_path / "gpus").read_text().strip() == "0,1"
    with pytest.raises(subprocess.CalledProcessError) as refused:
        slurm_cluster("sbatch", "--test-only", f"--gres=gpu:tesla_t4:{GPUS + 1}", str(script))
    assert "not available" in refused.value.stderr


def test_a_slurm_of_a_test_has_no_jobs_of_an_earlier_one(slurm_cluster: Slurm) -> None:
    assert slurm_cluster("squeue", "--noheader") == ""
    slurm_cluster("sbatch", "--array=1-20", "--output=/dev/null", "--wrap=sleep 600")


@pytest.mark.usefixtures("slurm_cluster")
def test_commands_behind_ssh_find_the_slurm(ssh_host: SshHost) -> None:
    command = ["ssh", "-F", str(ssh_host.config), ssh_host.name, "sinfo -h -o %P; echo $HOME"]

    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()

    assert printed == ["gpu*", "urgent", str(ssh_host.config.parent / "home")]


def test_a_dropped_connection_leaves_what_it_started(ssh_host: SshHost, tmp_path: Path) -> None:
    remote = f"echo begun; sleep 1; echo >{tmp_path / 'done'}"
    command = ["ssh", "-F", str(ssh_host.config), ssh_host.name, remote]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as client:
        assert client.stdout is not None
        client.stdout.readline()
        ssh_host.drop()
        assert client.wait() == 255
    while not (tmp_path / "done").exists():
        time.sleep(0.05)


@pytest.mark.slow
def test_ray_runs_a_job_and_forgets_it_when_its_head_starts_again(ray_head: RayHead) -> None:
    job: dict[str, Any] = {"entrypoint": "true", "submission_id": "one", "entrypoint_num_gpus": GPUS}
    assert requests.post(f"{ray_head.address}/api/jobs/", json=job, timeout=30).ok
    status = ""
    while status != "SUCCEEDED":
        status = requests.get(f"{ray_head.address}/api/jobs/one", timeout=30).json()["status"]
        time.sleep(0.1)
    ray_head.restart()
    assert requests.get(f"{ray_head.address}/api/jobs/one", timeout=30).status_code == 404


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives a process the orphans of its children")
def test_nothing_is_left_of_what_an_engine_started() -> None:
    """Also what detached itself, and ignores that it is asked to end; also after the test process was killed."""
    detached = "trap '' TERM HUP; echo $$; while :; do sleep 1; done"
    parent = "import subprocess, sys; subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE).wait()"
    command = [sys.executable, "-c", parent, sys.executable, str(Path(keeper.__file__))]
    command += ["setsid", "--fork", "bash", "-c", detached]
    with contextlib.ExitStack() as stack:
        asked, killed = (
            stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True)) for _ in range(2)
        )
        ending = []
        for test in (asked, killed):
            assert test.stdout is not None
            ending += [psutil.Process(int(test.stdout.readline())), *psutil.Process(test.pid).children()]
        ending[1].terminate()
        os.kill(killed.pid, signal.SIGKILL)
        for process in ending:
            process.wait(timeout=60)
