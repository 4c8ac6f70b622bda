"""Which versions of its sources a run reads, as the ledger knows them, and whether they are still the newest ones.

Kaggle gives a session the output of an attached kernel's newest complete version, and a data set's newest version, or
the one that its name has (owner/slug/3). Of models, and of kernels and data sets that were pushed from elsewhere, the
ledger knows no versions: nothing is said about them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from coordinator.kaggle_rules import normal_name
from coordinator.kernel import Source
from coordinator.ledger.datasets import DatasetVersion, dataset_versions, newest_of_each
from coordinator.ledger.ledger import Ledger, Run
from coordinator.target import RunState

_DATASETS = "datasets/"
"""Before the name of a data set in a run's sources: a kernel may have the same name."""


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


def attached_datasets(
    versions: Iterable[DatasetVersion], metadata: Mapping[str, Any], target: str
) -> list[DatasetVersion]:
    """The newest version of each data set that is attached and was pushed from here; `versions` are the newest first.

    A name that has a version always gives that one, whatever is pushed.
    """
    names = [normal_name(str(name)) for name in metadata.get("dataset_sources") or ()]
    newest = newest_of_each(versions)
    return [newest[target, name] for name in dict.fromkeys(names) if (target, name) in newest]


def sources_now(ledger: Ledger, metadata: Mapping[str, Any], slug: str, target: str) -> tuple[Source, ...]:
    """The versions that a kernel of this metadata and slug would read if its session began now."""
    known = attached_runs(ledger.runs(target=target), metadata, slug)
    kernels = (newest.source for runs in known.values() if (newest := _newest(runs)) is not None)
    datasets = attached_datasets(dataset_versions(ledger, target=target), metadata, target)
    return (*kernels, *map(_source, datasets))


def outdated(run: Run, runs: Iterable[Run], datasets: Iterable[DatasetVersion] = ()) -> tuple[Outdated, ...]:
    """The sources of a run that have another version now; `runs` and `datasets` are the ledger's, newest first."""
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
    return (*found, *_outdated_datasets(run, datasets))


def _outdated_datasets(run: Run, datasets: Iterable[DatasetVersion]) -> Iterator[Outdated]:
    read = {source.reference: source.version for source in run.reads}
    for each in attached_datasets(datasets, run.metadata, run.target):
        source = _source(each)
        known = read.get(source.reference)
        if source.version != known if source.reference in read else each.created_at > run.created_at:
            yield Outdated(source, known)


def _source(each: DatasetVersion) -> Source:
    return Source(_DATASETS + each.reference, each.version or 0)


def _newest(runs: Iterable[Run]) -> Run | None:
    return next((run for run in runs if run.state is RunState.COMPLETE), None)
