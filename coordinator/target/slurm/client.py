"""The target of kind slurm: jobs are handed to sbatch, and asked for with squeue and sacct, on the login node."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from coordinator.errors import CoordError, NoAccess, NoAnswer, NotSent, TargetError
from coordinator.kernel import KernelMetadata
from coordinator.project import SlurmSettings
from coordinator.target.abilities import ABILITIES, Abilities
from coordinator.target.cluster import ClusterPlace, Order, RunRecord
from coordinator.target.cluster.place import as_list
from coordinator.target.kernel_ref import KernelRef
from coordinator.target.protocol import KernelPush, Pushed, SessionState
from coordinator.target.slurm.script import job_script, request
from coordinator.target.slurm.states import session_state

_SUBMIT_SECONDS = 240.0
"""A controller under load takes minutes for sbatch."""


@dataclass
class Slurm(ClusterPlace):
    """A Slurm cluster. See `target.Target` for the methods."""

    settings: SlurmSettings | None = None

    @property
    def abilities(self) -> Abilities:
        return ABILITIES["slurm"]

    @property
    def _table(self) -> SlurmSettings:
        assert self.settings is not None
        return self.settings

    def push(self, metadata: KernelMetadata, source: str, *, timeout_seconds: int | None) -> Pushed:
        options = request(self._table, self.name, metadata, timeout_seconds)
        order = self._ordered([(metadata, source)])[0]
        return self._submit([order], order.run, options, array="")[0]

    def push_many(self, pushes: Sequence[KernelPush], *, at_once: int | None) -> Sequence[Pushed | CoordError]:
        """One array for all that ask for the same machine and time; see `target.PushesMany`."""
        answers: dict[int, Pushed | CoordError] = {}
        groups: dict[tuple[str, ...], list[int]] = {}
        for number, each in enumerate(pushes):
            try:
                options = request(self._table, self.name, each.metadata, each.timeout_seconds)
                groups.setdefault(tuple(options), []).append(number)
            except TargetError as error:
                answers[number] = error
        for asked, numbers in groups.items():
            try:
                orders = self._ordered([(pushes[number].metadata, pushes[number].source) for number in numbers])
                runs = "\n".join(order.run for order in orders)
                name = f"coord-{hashlib.sha256(runs.encode()).hexdigest()[:16]}"
                indices = f"0-{len(orders) - 1}" + (f"%{at_once}" if at_once else "")
                answers.update(zip(numbers, self._submit(orders, name, asked, array=indices), strict=True))
            except TargetError as error:
                if isinstance(error, NoAnswer) and not isinstance(error, NotSent) and len(groups) == 1:
                    raise
                answers.update((number, error) for number in numbers)
        return [answers[number] for number in range(len(pushes))]

    def _ordered(self, pushes: Sequence[tuple[KernelMetadata, str]]) -> list[Order]:
        try:
            return self.orders(pushes)
        except NotSent:
            raise
        except NoAnswer as error:  # nothing has been made yet
            raise NotSent(error.what, hint=error.hint) from error

    def _submit(self, orders: Sequence[Order], name: str, options: Sequence[str], *, array: str) -> list[Pushed]:
        runs = []
        for index, order in enumerate(orders):
            alone = job_script(self._table, order.run, options)
            meta = {**order.meta, **({"array": name, "index": index} if array else {})}
            files = {**order.files, "job.sh": alone}
            runs.append({"run": order.run, "owner": order.owner, "slug": order.slug, "files": files, "meta": meta})
        script = job_script(self._table, name, options)
        found = self.far.ask("push", runs=runs, name=name, script=script, array=array, seconds=_SUBMIT_SECONDS)
        refs = [
            KernelRef(order.owner, order.slug, int(answer["version"]))
            for order, answer in zip(orders, found["runs"], strict=True)
        ]
        return [Pushed(ref=ref, url=self.url(ref.owner, ref.slug), refused_sources=()) for ref in refs]

    def state(self, ref: KernelRef) -> SessionState:
        return self.states([ref])[0]

    def states(self, refs: Sequence[KernelRef]) -> list[SessionState]:
        """The states of many runs, with one question. Raises NoAccess if one of them is gone."""
        found = self.far.ask("states", refs=[as_list(ref) for ref in refs], seconds=_SUBMIT_SECONDS)
        return [self._state(ref, each, found.get("now")) for ref, each in zip(refs, found["runs"], strict=True)]

    def _state(self, ref: KernelRef, found: dict[str, Any], now: object) -> SessionState:
        record = RunRecord.parse(found, now)
        if not record.exists:
            raise NoAccess(f"{self.name} does not have {ref} any more: its folder is gone")
        return session_state(record, found.get("queue"), found.get("accounting"))

    def cancel(self, ref: KernelRef) -> bool:
        self.far.ask("end", ref=as_list(ref))
        return True
