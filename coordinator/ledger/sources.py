"""Which versions of its sources a run reads, as the ledger knows them, and whether they are still the newest ones.

Kaggle gives a session the output of an attached kernel's newest complete version, and a data set's newest version, or
the one that its name has (owner/slug/3). Of models, and of kernels and data sets that were pushed from elsewhere, the
ledger knows no versions: nothing is said about them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coordinator.kaggle_rules import normal_name
from coordinator.kernel import Source, is_of_content
from coordinator.ledger.datasets import DatasetVersion, dataset_versions, newest_of_each
from coordinator.ledger.ledger import Ledger, Run
from coordinator.target import RunState

_DATASETS = "datasets/"
"""Before the name of a data set in a run's sources: a kernel may have the same name."""


@dataclass(frozen=True)
class Outdated:
    """A source that has another version now than a run read, or than a source of that run read."""

    newest: Source
    read: int | None
    """The version that was read; None if the ledger did not know it."""
    through: tuple[Source, ...] = ()
    """What the run read itself, and so on to the one that read the source; empty if the run read the source itself."""

    def __str__(self) -> str:
        read = "an earlier version" if self.read is None else f"v{self.read}"
        way = "".join(f"read v{each.version} of {each.reference}, which " for each in self.through)
        return f"{way}read {read} of {self.newest.reference}, which has v{self.newest.version} now"

    def to_json(self) -> dict[str, Any]:
        through = [str(each) for each in self.through]
        return {
            "reference": self.newest.reference,
            "read": self.read,
            "newest": self.newest.version,
            "through": through,
        }


def attached_runs(runs: Iterable[Run], metadata: Mapping[str, Any], slug: str) -> dict[str, list[Run]]:
    """The ledger's runs of each kernel that is attached, in their order: owner/slug -> runs.

    Without the kernel's own earlier versions (`slug`): that a run continues one of them, `Run.continues` tells.
    """
    names = [name for name in metadata.get("kernel_sources") or () if str(name).partition("/")[2] != slug]
    found: dict[str, list[Run]] = {name: [] for name in names}
    if not found:
        return found
    for run in runs:
        if run.has_kernel and run.ref.address in found:
            found[run.ref.address].append(run)
    return found


def attached_datasets(
    versions: Iterable[DatasetVersion], metadata: Mapping[str, Any], target: str
) -> list[DatasetVersion]:
    """The newest version of each data set that is attached and was pushed from here; `versions` are the newest first.

    A name that has a version always gives that one, whatever is pushed; and so does one that is made of the content.
    """
    names = [normal_name(str(name)) for name in metadata.get("dataset_sources") or () if not is_of_content(name)]
    newest = newest_of_each(versions)
    return [newest[target, name] for name in dict.fromkeys(names) if (target, name) in newest]


def sources_now(ledger: Ledger, metadata: Mapping[str, Any], slug: str, target: str) -> tuple[Source, ...]:
    """The versions that a kernel of this metadata and slug would read if its session began now."""
    known = attached_runs(ledger.runs(target=target, hidden=True), metadata, slug)
    kernels = (newest.source for runs in known.values() if (newest := _newest(runs)) is not None)
    datasets = attached_datasets(dataset_versions(ledger, target=target), metadata, target)
    return (*kernels, *map(_source, datasets))


def outdated_in(ledger: Ledger, run: Run) -> tuple[Outdated, ...]:
    """What `outdated` returns, from the whole ledger."""
    return outdated(run, ledger.runs(target=run.target, hidden=True), dataset_versions(ledger, target=run.target))


def outdated(run: Run, runs: Iterable[Run], datasets: Iterable[DatasetVersion]) -> tuple[Outdated, ...]:
    """The sources of a run, and those that these read in turn, that have another version now.

    `runs` and `datasets` are the ledger's, newest first.
    """
    of_target = [each for each in runs if each.target == run.target]
    return tuple(_outdated(run, of_target, tuple(datasets), ()))


def _outdated(
    run: Run, of_target: Sequence[Run], datasets: Sequence[DatasetVersion], way: tuple[Run, ...]
) -> Iterator[Outdated]:
    """`way` has the runs from the first one to the one that read this run."""
    read = {source.reference: source.version for source in run.reads}
    through = tuple(each.source for each in (*way, run)[1:])
    before = {each.ref.address for each in way}
    for name, known in attached_runs(of_target, run.metadata, run.slug).items():
        if name in before:  # two kernels may attach each other
            continue
        newest = _newest(known)
        # Without a record, only a version that was pushed after the run is certainly another one.
        if newest is not None and (
            newest.results_version != read[name] if name in read else newest.created_at > run.created_at
        ):
            yield Outdated(newest.source, read.get(name), through)
        elif newest is not None:
            yield from _outdated(newest, of_target, datasets, (*way, run))
    yield from _outdated_datasets(run, datasets, through)


def _outdated_datasets(run: Run, datasets: Iterable[DatasetVersion], through: tuple[Source, ...]) -> Iterator[Outdated]:
    read = {source.reference: source.version for source in run.reads}
    for each in attached_datasets(datasets, run.metadata, run.target):
        source = _source(each)
        known = read.get(source.reference)
        if source.version != known if source.reference in read else each.created_at > run.created_at:
            yield Outdated(source, known, through)


def _source(each: DatasetVersion) -> Source:
    return Source(_DATASETS + each.reference, each.version or 0)


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
