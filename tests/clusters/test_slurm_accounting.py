"""A Slurm that keeps accounts: they decide of a job that squeue has forgotten, and whose run has left no end."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from coordinator.project.project import Project
from coordinator.project.settings import Settings
from coordinator.target.protocol import RunState
from coordinator.target.slurm.findings import findings
from tests.clusters.engines import SLURM, Engine, Slurm, free_ports, program_of, running, running_slurm, short_folder
from tests.clusters.slurm_target import SAVES, ended, push, running as is_running, target_at, until

pytestmark = [pytest.mark.slow, pytest.mark.clusters_only, pytest.mark.timeout(900)]

INSTALL = "apt-get install -y --no-install-recommends slurmdbd mariadb-server"
START = """\
set -e
cd "$1"
mariadb-install-db --no-defaults --datadir="$1/data" --user="$2" --auth-root-authentication-method=normal >/dev/null
"$3" --no-defaults --datadir="$1/data" --user="$2" --port="$5" --bind-address=127.0.0.1 --socket="$1/socket" &
until mariadb --no-defaults --socket="$1/socket" --user=root --execute="select 1" >/dev/null 2>&1; do sleep 0.2; done
"$4" -D -D &
wait
"""


@pytest.fixture(scope="module")
def accounting() -> Iterator[Slurm]:
    """A Slurm with slurmdbd and a MariaDB, whose squeue forgets a job after some seconds."""
    database, keeper = program_of("mariadbd", INSTALL), program_of("slurmdbd", INSTALL)
    controller, node = program_of("slurmctld", SLURM), program_of("slurmd", SLURM)
    with short_folder() as folder:
        of_database, of_keeper = free_ports(2)
        user = getpass.getuser()
        conf = folder / "slurmdbd.conf"
        conf.write_text(f"""\
AuthType=auth/none
DbdHost={socket.gethostname().split(".")[0]}
DbdAddr=127.0.0.1
DbdPort={of_keeper}
SlurmUser={user}
LogFile={folder}/slurmdbd.log
PidFile={folder}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={of_database}
StorageUser=root
StorageLoc=slurm_acct_db
""")
        conf.chmod(0o600)

        def is_ready() -> bool:
            with socket.socket() as asked:
                return asked.connect_ex(("127.0.0.1", of_keeper)) == 0

        command = ["bash", "-c", START, "-", str(folder), user, database, keeper, str(of_database)]
        engine = Engine(command, folder, {"SLURM_CONF": str(conf)}, is_ready)
        further = f"""\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={of_keeper}
MinJobAge=2"""
        with running(engine), running_slurm(controller, node, further) as slurm:
            yield slurm


def test_accounts_decide_what_squeue_has_forgotten(
    accounting: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job whose program was killed, and one that an administrator cancelled: neither has left an end of its own."""
    for name, value in accounting.environment.items():
        monkeypatch.setenv(name, value)
    target = target_at(tmp_path / "root", requeues=0)
    project = Project(root=tmp_path, settings=Settings(owner="ada"))
    assert target.settings is not None
    found = {each.check: each.what for each in findings(project, "uni", target.settings, {})}
    assert found["slurm"].endswith(", with accounting")

    done = push(target, "print(1)", "run-1", slug="done")
    killed, cancelled = push(target, SAVES, "run-2", slug="killed"), push(target, SAVES, "run-3", slug="cancelled")
    for each in (killed, cancelled):
        is_running(target, each)
    starter = f"{tmp_path}/root/kernels/ada/killed/v1/starter.py"
    for process in psutil.process_iter(["cmdline"]):
        if starter in (process.info["cmdline"] or ()):
            process.kill()
    accounting("scancel", "--name=run-3")
    assert ended(target, done).state is RunState.COMPLETE
    until_forgotten(accounting)
    assert [row.split("|")[1].split(" ")[0] for row in accounts(accounting)] == ["COMPLETED", "FAILED", "CANCELLED"]
    states = {ref.slug: target.state(ref) for ref in (done, killed, cancelled)}
    assert {slug: state.state for slug, state in states.items()} == {
        "done": RunState.COMPLETE,
        "killed": RunState.ERROR,
        "cancelled": RunState.CANCELLED,
    }
    assert states["killed"].message == "its job failed"
    assert push(target, SAVES, "run-2", slug="killed") == killed, "it is found again, and nothing is submitted"
    assert len(accounts(accounting)) == 3


def accounts(slurm: Slurm) -> list[str]:
    return slurm("sacct", "--noheader", "-X", "--parsable2", "--format=JobName,State", "-S", "now-1hours").splitlines()


def until_forgotten(slurm: Slurm) -> None:
    """squeue knows no job any more: Slurm looks once a minute for those that are old enough."""
    for _ in range(3):
        try:
            until(lambda: not slurm("squeue", "--noheader", "--states=all"))
        except AssertionError:
            continue
        return
    pytest.fail("squeue still knows the jobs")
