"""Real engines for tests: a Slurm, a host behind ssh and the head of a Ray cluster, all on this machine.

Each has its own folder, ports and keys, and no part in another Slurm, sshd or Ray of the machine. A process of pytest
starts each at most once, when the first test asks for it, and `keeper.py` ends it. Where a program is missing, the test
is skipped with the line that installs it; `make test-clusters` installs all of them.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
import requests

from tests.paths import ROOT

SLURM = "apt-get install -y --no-install-recommends slurm-wlm munge"
SSHD = "apt-get install -y --no-install-recommends openssh-server openssh-client"
RAY = "make test-clusters (a Ray of its own, in .venv-ray)"
RAY_ENVIRONMENT = Path(os.environ.get("RAY_ENVIRONMENT", ROOT / ".venv-ray"))
"""Virtual environment with `ray[default]`; its libraries are not among those that coord is tested with."""
START_SECONDS = 240.0
"""For the slowest engine on a machine that is busy with other tests."""
SLOTS = 8
"""Processors that Slurm and Ray believe to have: so many small jobs run at once."""
GPUS = 2


@dataclass
class Engine:
    """Programs that run until they are stopped, with all that they have started."""

    command: Sequence[str]
    folder: Path
    """For all of its files; the log of the programs is in it, too."""
    environment: Mapping[str, str]
    is_ready: Callable[[], bool]
    _keeper: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        """Returns when the engine answers. Raises RuntimeError, with the end of its log, if it does not."""
        keeper = [sys.executable, str(Path(__file__).with_name("keeper.py")), *self.command]
        environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **self.environment}
        with self.log.open("ab") as log:
            self._keeper = subprocess.Popen(
                keeper, stdin=subprocess.PIPE, stdout=log, stderr=log, env=environment, start_new_session=True
            )
        end = time.monotonic() + START_SECONDS
        while not self.is_ready():
            if time.monotonic() > end:
                self.stop()
                raise RuntimeError(f"{self.command[0]} did not start:\n{self.log.read_text(errors='replace')[-4000:]}")
            time.sleep(0.1)

    def stop(self) -> None:
        """Ends all of its processes; files stay."""
        if self._keeper is not None:
            self._keeper.terminate()
            self._keeper.communicate()
            self._keeper = None

    @property
    def log(self) -> Path:
        return self.folder / "engine.log"

    def processes(self) -> list[psutil.Process]:
        return psutil.Process(self._keeper.pid).children(recursive=True) if self._keeper else []


@contextlib.contextmanager
def running(engine: Engine) -> Iterator[None]:
    try:
        engine.start()
        yield
    finally:
        engine.stop()


@contextlib.contextmanager
def short_folder() -> Iterator[Path]:
    """A folder whose path is short enough for the Unix sockets of an engine (107 bytes)."""
    with tempfile.TemporaryDirectory(prefix="coord-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def program_of(name: str, install: str) -> str:
    """Path of a program, which may be an administrator's. Skips the test, with what to install, if there is none."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if found is None:
        pytest.skip(f"no {name}: {install}")
    return found


@dataclass(frozen=True)
class Slurm:
    """A controller and one node with SLOTS processors and GPUS graphics cards, which are devices that hold nothing.

    Two partitions: `gpu`, the default, whose jobs are requeued when a job of `urgent` needs their place. No accounting:
    `sacct` fails, as on many clusters. What waits in Slurm waits as briefly as it can: a requeue five seconds, a kill
    ten; limits, and the end of a grace before a preemption, it looks for twice a minute (so there is no grace).
    """

    engine: Engine
    environment: Mapping[str, str]
    """What each command of Slurm's needs."""

    def __call__(self, *command: str) -> str:
        """Runs one of Slurm's commands, and returns what it prints. Raises CalledProcessError."""
        environment = {**os.environ, **self.environment}
        return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout


@pytest.fixture(scope="session")
def _slurm() -> Iterator[Slurm]:
    with running_slurm(program_of("slurmctld", SLURM), program_of("slurmd", SLURM)) as slurm:
        yield slurm


@contextlib.contextmanager
def running_slurm(controller: str, node: str, further: str = "") -> Iterator[Slurm]:
    """A Slurm of these two programs, until the end of the block; `further` lines of slurm.conf come before its own."""
    with short_folder() as folder:
        for name in ("state", "spool", "log", "run"):
            (folder / name).mkdir()
        host, ports = socket.gethostname().split(".")[0], free_ports(2)
        replaced = tuple(line.partition("=")[0] + "=" for line in further.splitlines())
        kept = [line for line in _slurm_conf(folder, host, ports).splitlines() if not line.startswith(replaced or "\n")]
        (folder / "slurm.conf").write_text("\n".join([*kept, further, ""]))
        (folder / "gres.conf").write_text(
            "".join(f"NodeName={host} Name=gpu Type=tesla_t4 File={name}\n" for name in ("/dev/null", "/dev/zero"))
        )
        (folder / "cgroup.conf").write_text("CgroupAutomount=no\n")
        environment = {"SLURM_CONF": str(folder / "slurm.conf")}

        def is_ready() -> bool:
            command = ["sinfo", "--noheader", "--format=%T", "--partition=gpu"]
            asked = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})
            return asked.stdout.strip() == "idle"

        script = '"$1" -D & "$2" -D -N "$3" & wait'
        engine = Engine(["bash", "-c", script, "-", controller, node, host], folder, environment, is_ready)
        with running(engine):
            yield Slurm(engine, environment)


def _slurm_conf(folder: Path, host: str, ports: Sequence[int]) -> str:
    user = getpass.getuser()
    return f"""\
ClusterName=coordtest
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
AuthType=auth/none
AuthInfo=cred_expire=5
CredType=cred/none
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/builtin
SchedulerParameters=sched_interval=1,sched_min_interval=0,batch_sched_delay=0
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
KillWait=10
MinJobAge=300
JobRequeue=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
MailProg=/bin/true
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 SocketsPerBoard=1 CoresPerSocket={SLOTS} ThreadsPerCore=1 RealMemory=20000 \
Gres=gpu:tesla_t4:{GPUS} State=UNKNOWN
PartitionName=gpu Nodes={host} Default=YES MaxTime=INFINITE DefMemPerCPU=500 PriorityTier=1 State=UP
PartitionName=urgent Nodes={host} MaxTime=INFINITE DefMemPerCPU=500 PriorityTier=10 State=UP
"""


@pytest.fixture
def slurm_cluster(_slurm: Slurm, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slurm]:
    """A Slurm that is this test's alone: commands find it by the environment, and the test's jobs end with it."""
    for name, value in _slurm.environment.items():
        monkeypatch.setenv(name, value)
    yield _slurm
    _slurm("scancel", "--full", "--signal=KILL", f"--user={getpass.getuser()}")
    _slurm("scancel", f"--user={getpass.getuser()}")
    _until(lambda: not _slurm("squeue", "--noheader"))


@dataclass(frozen=True)
class SshHost:
    """A host by the name `cluster` in an ssh config file, which is this machine."""

    engine: Engine
    config: Path
    name: str = "cluster"

    def drop(self) -> None:
        """Breaks all connections off; what was started through them goes on."""
        for process in self.engine.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.name().startswith("sshd") and "listener" not in " ".join(process.cmdline()):
                    process.kill()


@pytest.fixture(scope="session")
def _sshd() -> Iterator[SshHost]:
    server, keygen = program_of("sshd", SSHD), program_of("ssh-keygen", SSHD)
    with short_folder() as folder:
        (port,) = free_ports(1)
        for name in ("host_key", "user_key"):
            command = [keygen, "-q", "-t", "ed25519", "-N", "", "-C", "coord's tests", "-f", str(folder / name)]
            subprocess.run(command, check=True)
        home = folder / "home"
        home.mkdir()
        if os.geteuid() == 0:  # sshd of an administrator has an empty folder for its unprivileged part
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        (folder / "sshd_config").write_text(
            f"""\
ListenAddress 127.0.0.1:{port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/user_key.pub
PidFile {folder}/sshd.pid
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
StrictModes no
UsePAM no
AcceptEnv SLURM_CONF
SetEnv HOME={home}
"""
        )
        host_key = " ".join((folder / "host_key.pub").read_text().split()[:2])
        (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}\n")
        config = folder / "ssh_config"
        config.write_text(
            f"""\
Host cluster
  HostName 127.0.0.1
  Port {port}
  User {getpass.getuser()}
  IdentityFile {folder}/user_key
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile {folder}/known_hosts
  SendEnv SLURM_CONF
"""
        )

        def is_ready() -> bool:
            command = ["ssh", "-F", str(config), "-o", "BatchMode=yes", "cluster", "true"]
            return subprocess.run(command, capture_output=True).returncode == 0

        engine = Engine([server, "-D", "-e", "-f", str(folder / "sshd_config")], folder, {}, is_ready)
        with running(engine):
            yield SshHost(engine, config)


@pytest.fixture
def ssh_host(_sshd: SshHost, monkeypatch: pytest.MonkeyPatch) -> SshHost:
    """A host behind ssh; coord finds it by COORD_SSH_CONFIG, and Slurm's commands there find the Slurm of the test."""
    monkeypatch.setenv("COORD_SSH_CONFIG", str(_sshd.config))
    return _sshd


@dataclass(frozen=True)
class RayHead:
    """A Ray cluster of one machine, with SLOTS processors and GPUS graphics cards that are only numbers."""

    engine: Engine
    address: str
    """Of its Jobs API."""

    def restart(self) -> None:
        """A head that comes back at its address, and has forgotten all jobs."""
        self.engine.stop()
        self.engine.start()


@pytest.fixture(scope="session")
def _ray() -> Iterator[RayHead]:
    program = RAY_ENVIRONMENT / "bin" / "ray"
    if not program.exists():
        pytest.skip(f"no Ray: {RAY}")
    names = (
        "port",
        "dashboard-port",
        "ray-client-server-port",
        "node-manager-port",
        "object-manager-port",
        "dashboard-agent-listen-port",
        "dashboard-agent-grpc-port",
        "runtime-env-agent-port",
        "metrics-export-port",
    )
    with short_folder() as folder:
        ports = dict(zip(names, free_ports(len(names)), strict=True))
        address = f"http://127.0.0.1:{ports['dashboard-port']}"
        command = [
            # Again: on a busy machine a head may give up after 30 s without its node.
            *("bash", "-c", 'until "$@"; do sleep 1; done', "-"),
            *(str(program), "start", "--head", "--block", "--disable-usage-stats", f"--temp-dir={folder}/ray"),
            *("--node-ip-address=127.0.0.1", "--dashboard-host=127.0.0.1", "--include-dashboard=true"),
            *(f"--num-cpus={SLOTS}", f"--num-gpus={GPUS}", f"--memory={8 << 30}", "--object-store-memory=100000000"),
            *("--min-worker-port=0", "--max-worker-port=0"),
            *(f"--{name}={port}" for name, port in ports.items()),
        ]
        # Without workers that wait for tasks: one per processor would be a gigabyte for nothing.
        environment = {"HOME": str(folder), "RAY_enable_worker_prestart": "0", "RAY_prestart_worker_first_driver": "0"}

        def is_ready() -> bool:
            # The list of jobs comes before the agent that starts them ("No available agent to submit job").
            try:
                return requests.post(f"{address}/api/jobs/", json={"entrypoint": "true"}, timeout=60).ok
            except requests.ConnectionError:
                return False

        engine = Engine(command, folder, environment, is_ready)
        with running(engine):
            yield RayHead(engine, address)


@pytest.fixture
def ray_head(_ray: RayHead) -> RayHead:
    """The head of a Ray cluster. Jobs of earlier tests may still be there, with ids of their own."""
    return _ray


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + START_SECONDS
    while not condition():
        assert time.monotonic() < end, "the engine still has jobs of the test"
        time.sleep(0.1)
