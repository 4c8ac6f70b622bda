"""A run, as the ledger has it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from coordinator.errors import LedgerError, RunFailed
from coordinator.kaggle_rules import normal_metadata, normal_name
from coordinator.kernel import Source
from coordinator.project import TargetName
from coordinator.results import Event, Summary
from coordinator.target import KernelRef, RunState, recorded_abilities

_MERGED = 0
"""The version of a run that was merged from the runs of its folds: Kaggle counts from 1."""


@dataclasses.dataclass(frozen=True)
class NamedSource:
    """What a run read of another kernel, and what it calls it."""

    name: str
    """That of the need; empty if the kernel is attached and no need."""
    source: Source

    def __str__(self) -> str:
        return f"{self.name}: {self.source}" if self.name else str(self.source)

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, **vars(self.source)}


@dataclasses.dataclass(frozen=True)
class Run:
    """One row of the ledger: one kernel version doing one experiment."""

    id: str
    experiment: str
    target: TargetName
    owner: str
    slug: str
    digest: str
    config: dict[str, Any]
    metadata: dict[str, Any]
    """kernel-metadata.json as it was pushed."""
    overrides: list[str]
    state: RunState
    created_at: str
    """ISO 8601, UTC, as all times here."""
    files: dict[str, str] = dataclasses.field(default_factory=dict)
    """Path -> SHA-256 of every file that went in; empty for runs that were pushed before this was written down."""
    launch: dict[str, Any] = dataclasses.field(default_factory=dict)
    """How its program is started: entry, arguments, folder, delivery of the config; empty if as a model source is."""
    git: str | None = None
    """Commit of the project, with "-dirty" when the working tree differed from it."""
    version: int | None = None
    """None until the target has answered."""
    url: str = ""
    """Its page on the target; a local run has none (but one on `coord ui`: see live_page.py)."""
    message: str = ""
    """For people: why it failed, or what is not known about it. Nothing is decided by it."""
    timeout_seconds: int | None = None
    """The session's time limit that was asked for; None is the target's own."""
    sent_at: str | None = None
    """When its push was last on the way to the target."""
    pushed_at: str | None = None
    started_at: str | None = None
    """When its session started: when coord first saw it running, or earlier, by the times in its log."""
    ended_at: str | None = None
    """When coord first saw it ended."""
    fetched_at: str | None = None
    last_event: Event | None = None
    """The last epoch (or later) event seen in its log."""
    summary: Summary | None = None
    """metrics.json, once fetched."""
    continues: str | None = None
    """Id of the run that it continues (see continuation.py)."""
    lacks: tuple[str, ...] = ()
    """Attached sources that the target refused, or of which that is not known because the push's answer was lost."""
    never_arrived: bool = False
    """Its push was given up: no version of it appeared on the target for as long as one may take. (One may all the
    same, later.)"""
    stop_requested: bool = False
    """Its session was asked to stop, and had not ended a while later."""
    reads: tuple[Source, ...] = ()
    """The versions of its sources that the ledger knew when it was pushed (see sources.py)."""
    hidden_at: str | None = None
    """When the user took it out of best, compare and report (see hide in runs/); None if it counts."""
    attempts: int = 0
    """How often its program was started, where the target starts it again by itself; 0 where it does not tell."""

    def __post_init__(self) -> None:
        # Here, because rows, run.json and kernels of an older coord have the names as they were written. (What is of
        # another type in them is damaged, and left to those that check it.)
        vars(self).update(normal_fields(vars(self)))
        if isinstance(self.metadata, dict):
            vars(self)["metadata"] = normal_metadata(self.metadata)

    @property
    def is_merged(self) -> bool:
        """Whether it was merged from the runs of its folds: it has results, but no kernel and no session."""
        return self.version == _MERGED

    @property
    def has_kernel(self) -> bool:
        """Whether it is a version of a kernel: it arrived on the target, and is not merged."""
        return self.version is not None and not self.is_merged

    @property
    def is_whole(self) -> bool:
        """Whether it has, as far as is known, every source that it was pushed with, and was not asked to stop.

        Its needs do not count: without one of them, its kernel ends with an error before the program starts.
        """
        return not self.stop_requested and all(normal_name(name) in self._needed.values() for name in self.lacks)

    @property
    def may_arrive(self) -> bool:
        """Whether a version of it may appear on the target: its push has no answer, or was given up without one."""
        return self.state is RunState.PUSHING or (self.state is RunState.REFUSED and self.never_arrived)

    def as_merged(self) -> Run:
        """The same run, as one that was merged from others."""
        return dataclasses.replace(self, version=_MERGED)

    @property
    def counts(self) -> bool:
        """Whether it is not hidden, or has a session all the same: a session costs, whether one looks at it or not."""
        return self.hidden_at is None or self.state.is_active

    @property
    def sources(self) -> tuple[str, ...]:
        """What its kernel has attached: data sets, models, other kernels, competitions, by the names of the target."""
        return tuple(name for key, names in self.metadata.items() if key.endswith("_sources") for name in names or ())

    @property
    def reported(self) -> Summary:
        """Its summary, or an empty one if there is none."""
        return self.summary or _NOTHING

    @property
    def end(self) -> Event | None:
        """The event that its program ended with; None if its log has none, or was not read so far."""
        return self.last_event if self.last_event and self.last_event.kind == "end" else None

    @property
    def results_version(self) -> int:
        """The version that its folder of results is named by; a merged run has one, too. Raises LedgerError."""
        if self.version is None:
            raise LedgerError(f"run {self.id} of {self.experiment} has no version yet", hint="Run: coord status")
        return self.version

    @property
    def ref(self) -> KernelRef:
        """Its version of a kernel. Raises LedgerError before the target has answered, RunFailed if it was merged."""
        version = self.results_version
        if self.is_merged:
            raise RunFailed(
                f"{self.label} was merged from the runs of its folds: it has no kernel of its own",
                hint="The runs of the folds have theirs.",
            )
        return KernelRef(self.owner, self.slug, version)

    @property
    def source(self) -> Source:
        """Its version, as another run reads it. Raises what `ref` does."""
        return Source(self.ref.address, self.ref.version)

    @property
    def needs_read(self) -> dict[str, Source]:
        """The versions that it read of the kernels that it needs, by the names of its needs; without unknown ones."""
        known = {each.reference: each for each in self.reads}
        return {name: known[address] for name, address in self._needed.items() if address in known}

    @property
    def needs(self) -> dict[str, str]:
        """Name -> slug of the kernels whose output it needs."""
        found = self.launch.get("needs")
        return dict(found) if isinstance(found, dict) else {}

    @property
    def named_reads(self) -> tuple[NamedSource, ...]:
        """What it read, by the names of its needs: first these in their order, then other kernels."""
        others = [each for each in self.reads if each not in self.needs_read.values()]
        return (*(NamedSource(*each) for each in self.needs_read.items()), *(NamedSource("", each) for each in others))

    @property
    def _needed(self) -> dict[str, str]:
        """Name -> owner/slug of its needs."""
        return {name: normal_name(f"{self.owner}/{slug}") for name, slug in self.needs.items()}

    @property
    def label(self) -> str:
        """As people name it: `smoke local-v3`."""
        return f"{self.experiment} {self.target}-v{self.version if self.version is not None else '?'}"

    @property
    def config_text(self) -> str:
        """Its config as JSON; the text of its row, if it was read from one."""
        stored = vars(self).get("_config")
        return stored if isinstance(stored, str) else json.dumps(self.config)

    def fields(self) -> dict[str, Any]:
        """Name -> value of each field, in order."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    def to_json(self) -> dict[str, Any]:
        values = {name: plain_field(value) for name, value in self.fields().items()}
        return values | {"reads": [each.to_json() for each in self.named_reads]}


_NOTHING = Summary.parse({})


def plain_field(value: Any) -> Any:
    """A field's value as JSON."""
    if isinstance(value, Event | Summary):
        return value.to_json()
    return [vars(each) if isinstance(each, Source) else each for each in value] if isinstance(value, tuple) else value


def normal_fields(values: Mapping[str, Any]) -> dict[str, str]:
    """The fields of a run, of those given, that have another form than an older coord wrote."""
    found = {name: normal_name(values[name]) for name in ("owner", "slug") if isinstance(values.get(name), str)}
    known = recorded_abilities(values["target"])
    return {**found, "url": ""} if known and known.is_on_this_machine else found
