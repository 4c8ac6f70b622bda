"""Which versions of its sources a run reads, as the ledger knows them, and whether they are still the newest ones.

Kaggle gives a session the output of an attached kernel's newest complete version. Of data sets, models and kernels
that were pushed from elsewhere, the ledger knows no versions: nothing is said about them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coordinator.kernel import Source
from coordinator.ledger.ledger import Ledger, Run
from coordinator.target import RunState


@dataclass(frozen=True)
class Outdated:
    """A source of a run that has another version now than the run read."""

    newest: Source
    read: int | None
    """The version that the run read; None if the ledger did not know it."""

    def __str__(self) -> str:
        read = "an earlier version" if self.read is None else f"v{self.read}"
        return f"read {read} of {self.newest.reference}, which has v{self.newest.version} now"

    def to_json(self) -> dict[str, Any]:
        return {"reference": self.newest.reference, "read": self.read, "newest": self.newest.version}


def attached_runs(runs: Iterable[Run], metadata: Mapping[str, Any], slug: str) -> dict[str, list[Run]]:
    """The ledger's runs of each kernel that is attached, in their order: owner/slug -> runs.

    Without the kernel's own earlier versions (`slug`): that a run continues one of them, `Run.continues` tells.
    """
    names = [name for name in metadata.get("kernel_sources") or () if str(name).partition("/")[2] != slug]
    found: dict[str, list[Run]] = {name: [] for name in names}
    for run in runs:
        if run.has_kernel and run.ref.address in found:
            found[run.ref.address].append(run)
    return found


def sources_now(ledger: Ledger, metadata: Mapping[str, Any], slug: str, target: str) -> tuple[Source, ...]:
    """The versions that a kernel of this metadata and slug would read if its session began now."""
    known = attached_runs(ledger.runs(target=target), metadata, slug)
    return tuple(newest.source for runs in known.values() if (newest := _newest(runs)) is not None)


def outdated(run: Run, runs: Iterable[Run]) -> tuple[Outdated, ...]:
    """The sources of a run that have another version now; `runs` are the ledger's, newest first."""
    read = {source.reference: source.version for source in run.reads}
    of_target = [each for each in runs if each.target == run.target]
    found = []
    for name, known in attached_runs(of_target, run.metadata, run.slug).items():
        newest = _newest(known)
        # Without a record, only a version that was pushed after the run is certainly another one.
        if newest is not None and (
            newest.results_version != read[name] if name in read else newest.created_at > run.created_at
        ):
            found.append(Outdated(newest.source, read.get(name)))
    return tuple(found)


def runs_read(run: Run, runs: Sequence[Run]) -> tuple[Run, ...]:
    """The runs whose output a run read, in the order of its `reads`; `runs` are the ledger's, newest first.

    Of a version that there was twice (the kernel was deleted in between), it is the one before the run.
    """
    known = (each for each in runs if each.target == run.target and each.has_kernel)
    before = [each for each in known if each.created_at <= run.created_at]
    found = (next((each for each in before if each.source == source), None) for source in run.reads)
    return tuple(each for each in found if each is not None)


def _newest(runs: Iterable[Run]) -> Run | None:
    return next((run for run in runs if run.state is RunState.COMPLETE), None)
