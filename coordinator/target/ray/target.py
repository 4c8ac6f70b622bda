"""A Ray cluster as a target: kernels in folders of a shared file system, run by jobs of its Jobs API."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from coordinator.clock import SYSTEM_CLOCK
from coordinator.errors import NoAccess
from coordinator.kernel import KernelMetadata
from coordinator.project import Project, RaySettings, TargetName
from coordinator.target.abilities import ABILITIES, Abilities
from coordinator.target.cluster import ClusterPlace, FarSide, RunRecord, open_shell
from coordinator.target.kernel_ref import KernelRef
from coordinator.target.protocol import Pushed, SessionState, Target
from coordinator.target.ray.jobs import Jobs
from coordinator.target.ray.room import asked, check_room
from coordinator.target.ray.state import state_of

_KILL_AFTER = 60  # seconds that a program has for saving after the experiment's own limit, if the settings give fewer


@contextlib.contextmanager
def open_ray(project: Project, name: TargetName, settings: RaySettings) -> Iterator[Target]:
    """The target of these settings. Nothing is sent yet."""
    owner = project.settings.owner or name
    far = FarSide(open_shell(settings.host), settings.root, settings.python)
    with contextlib.closing(Jobs(settings.address)) as jobs:
        ray = Ray(name, owner, far, settings.sources, jobs=jobs, settings=settings)
        with contextlib.closing(ray):
            yield ray


@dataclass(kw_only=True)
class Ray(ClusterPlace):
    """Kernels of a Ray cluster. A run's id is the name of its job, and the claim of its folder."""

    jobs: Jobs
    settings: RaySettings

    @property
    def abilities(self) -> Abilities:
        return ABILITIES["ray"]

    def push(self, metadata: KernelMetadata, source: str, *, timeout_seconds: int | None) -> Pushed:
        """Claims a version for the run, and hands its job over; sent twice, it is the same version and the same job.

        Raises NoSlot while there is no room for it, and TargetError where an attached source or the machine is missing.
        """
        asks = asked(self.settings, self.name, metadata.data.get("machine_shape"))
        order = self.order(metadata, source)
        is_there = self.jobs.job(order.run) is not None
        if not is_there:
            at_once = self.settings.at_once
            nodes = [] if at_once else self.jobs.nodes()
            check_room(asks, nodes, self.jobs.jobs(), at_once=at_once, now=SYSTEM_CLOCK.seconds())
        ref, folder = self.claim(order)
        if not is_there:
            variables = {"RAY_JOB_STOP_WAIT_TIME_S": str(self.settings.stop_seconds)}
            entrypoint = self._entrypoint(folder, order.run, timeout_seconds)
            self.jobs.submit(order.run, entrypoint, asks, variables)
        return Pushed(ref, self.url(ref.owner, ref.slug), ())

    def _entrypoint(self, folder: str, run: str, timeout_seconds: int | None) -> str:
        """The job's command. Its shell is replaced, so that Ray's signals reach the starter."""
        start = shlex.join([self.settings.python, f"{folder}/starter.py", folder, run])
        if timeout_seconds:  # Ray has no limit of its own; in the foreground, or Ray would not find the program's group
            kill_after = max(self.settings.stop_seconds, _KILL_AFTER)
            start = f"timeout --foreground --kill-after={kill_after} {timeout_seconds} {start}"
        log = shlex.quote(f"{folder}/job.log")
        return shlex.join(["bash", "-c", "\n".join([f"exec >>{log} 2>&1", *self.settings.setup, f"exec {start}"])])

    def state(self, ref: KernelRef) -> SessionState:
        record = self._record(ref)
        job = self.jobs.job(record.run) if record.following != "end" else None
        # Again: it may have ended between the two questions.
        return state_of(self._record(ref) if job is None or job.is_over else record, job)

    def _record(self, ref: KernelRef) -> RunRecord:
        (record,) = self.records([ref])
        if not record.exists:
            raise NoAccess(f"{ref} is not on {self.name} any more")
        return record

    def source(self, owner: str, slug: str, version: int | None = None) -> tuple[int, str] | None:
        """As the protocol says; a version that was claimed, and whose job never arrived, counts as none."""
        found = super().source(owner, slug, version)
        while version is None and found is not None and not self._has_arrived(KernelRef(owner, slug, found[0])):
            found = self._older(owner, slug, found[0])
        return found

    def _older(self, owner: str, slug: str, version: int) -> tuple[int, str] | None:
        found = super().source(owner, slug, version - 1) if version > 1 else None
        return (version - 1, found[1]) if found else None

    def _has_arrived(self, ref: KernelRef) -> bool:
        (record,) = self.records([ref])
        return bool(record.claim) or self.jobs.job(record.run) is not None

    def cancel(self, ref: KernelRef) -> bool:
        """Notes that the run shall end for good, and asks its job to end: it has `stop_seconds` to save its state.

        Ray tells all processes of the job, not only the program's first one. A job in the queue ends when it starts.
        """
        self.far.ask("cancel", ref=[ref.owner, ref.slug, ref.version])
        self.jobs.stop(self._record(ref).run)
        return True

    def close(self) -> None:
        super().close()
        self.jobs.close()
