"""The verb status: every run in its current state."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from coordinator.clock import SYSTEM_CLOCK, Clock
from coordinator.errors import CoordError, Later, NoAnswer
from coordinator.ledger import Ledger, Run, chain_of, run_times
from coordinator.project import Project, TargetName
from coordinator.runs.course import course
from coordinator.target import known_abilities

if TYPE_CHECKING:
    from coordinator.ledger import Outdated
    from coordinator.runs.refresh import Look
    from coordinator.target import Target

AT_ONCE = 50
"""Runs that are asked about in parallel; `coord status` shows 20 by default."""


_EVENTS_READ = 1 << 20
_PAUSE = 2.0
"""Seconds between two looks, where no target says how many."""


@dataclass(frozen=True)
class Status:
    """The runs, newest first, and the errors of those that could not be refreshed."""

    runs: tuple[Run, ...]
    failures: dict[str, CoordError]
    """By run id; such a run is shown as last known."""
    chains: Mapping[str, tuple[Run, ...]] = field(default_factory=dict)
    """Run id -> its chain (see ledger/chains.py), for the runs that continue another one."""
    outdated: Mapping[str, tuple[Outdated, ...]] = field(default_factory=dict)
    """Run id -> what it read that has another version now (see ledger/sources.py), if there is any."""
    courses: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Run id -> the values of its first metric, epoch by epoch, of the fold that it is in; where they are known."""

    @property
    def errors(self) -> tuple[CoordError, ...]:
        """Each different error once: without a connection, all runs have the same."""
        errors = [self.failures[run.id] for run in self.runs if run.id in self.failures]
        return tuple({(type(each), each.what): each for each in errors}.values())

    def to_json(self) -> list[dict[str, Any]]:
        """The runs with their times; `error` says why a run could not be refreshed."""
        failed = {run_id: error.what for run_id, error in self.failures.items()}
        return [
            {
                **run.to_json(),
                **run_times(run).to_json(),
                "error": failed.get(run.id),
                "chain": self._chain(run),
                "outdated": [each.to_json() for each in self.outdated.get(run.id, ())],
            }
            for run in self.runs
        ]

    def changes(self, earlier: Status | None) -> list[tuple[Run, dict[str, Any]]]:
        """The runs that are not as they were (but for the time that has passed), with `to_json`; at first all."""
        return [
            (run, item)
            for run, item in zip(self.runs, self.to_json(), strict=True)
            if earlier is None or not earlier.has(run, item["error"])
        ]

    def has(self, run: Run, error: str | None) -> bool:
        """Whether the run is the same here, with the same error."""
        mine = self.failures.get(run.id)
        return run in self.runs and (mine.what if mine else None) == error

    def _chain(self, run: Run) -> list[str]:
        """The ids of its chain, the first one first; empty for a run that continues none."""
        return [link.id for link in self.chains.get(run.id, ())]


@dataclass
class OpenTargets:
    """Targets that are opened once and stay open for repeated questions."""

    project: Project
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _open: dict[str, Target] = field(default_factory=dict)
    courses: dict[str, tuple[float, ...]] = field(default_factory=dict)
    """See `Status`: what was seen of runs that have ended since stays here."""

    def get(self, name: TargetName) -> Target:
        """Raises what `open_target` does."""
        if name not in self._open:
            from coordinator.target import open_target  # most runs have ended: no target is needed to show them

            self._open[name] = self._stack.enter_context(open_target(self.project, name))
        return self._open[name]

    def close(self) -> None:
        """They are opened again when they are needed, with the credentials of that time."""
        self._open.clear()
        self._stack.close()


@contextlib.contextmanager
def open_targets(project: Project) -> Iterator[OpenTargets]:
    targets = OpenTargets(project)
    try:
        yield targets
    finally:
        targets.close()


def current_status(
    targets: OpenTargets,
    ledger: Ledger,
    runs: Iterable[Run],
    *,
    at_once: int = AT_ONCE,
    on_look: Callable[[Run, Look], None] | None = None,
    has_courses: bool = True,
) -> Status:
    """Asks the targets about every active run, in parallel; a run whose target fails stays as last known.

    The threads only ask; this thread writes the ledger, and calls `on_look` with each answer. Without `has_courses`,
    runs that have ended have none, and their files are not read for them.
    """
    runs = list(runs)

    def seen(run: Run, look: Look) -> None:
        is_drawn = has_courses or look.session.state.is_active
        if is_drawn and (values := course(look.reported(targets.project.settings.metrics))):
            targets.courses[run.id] = values
        if on_look is not None:
            on_look(run, look)

    failures: dict[str, CoordError] = {}
    if any(run.state.is_active for run in runs):
        # Imported here: it takes as long to load as the rest of `coord status`, and there may be nothing to ask.
        from coordinator.runs.ask import ask

        failures = ask(targets.project, ledger, runs, targets.get, seen, at_once=at_once)
    found = tuple(ledger.get(run.id) for run in runs)
    for run in found:
        if has_courses and run.id not in targets.courses and run.fetched_at and run.version is not None:
            targets.courses[run.id] = _fetched_course(targets.project, run)
    every = (
        ledger.runs(hidden=True) if any(run.continues or run.metadata.get("kernel_sources") for run in found) else []
    )
    by_id = {run.id: run for run in every}
    return Status(
        found,
        failures,
        {run.id: chain_of(run, by_id) for run in found if run.continues},
        _outdated(ledger, found, every),
        dict(targets.courses),
    )


def _outdated(ledger: Ledger, runs: Sequence[Run], every: Sequence[Run]) -> dict[str, tuple[Outdated, ...]]:
    """Run id -> what it read that has another version now; `every` has the ledger's runs if one of these needs them."""
    if not any(run.metadata.get(kind) for run in runs for kind in ("kernel_sources", "dataset_sources")):
        return {}
    from coordinator.ledger import dataset_versions, outdated

    datasets = dataset_versions(ledger)
    return {run.id: sources for run in runs if (sources := outdated(run, every, datasets))}


def _fetched_course(project: Project, run: Run) -> tuple[float, ...]:
    """Of a run whose results are here, if they are of the usual size: one that tells more has no course."""
    from coordinator.results import EVENTS, read_events  # with all readers of what programs write

    file = project.results(run.experiment, run.target, run.results_version) / EVENTS
    try:
        if file.stat().st_size > _EVENTS_READ:
            return ()
        return course([event for event in read_events(file) if event])
    except OSError:
        return ()


def watch(targets: OpenTargets, look: Callable[[], Status], clock: Clock = SYSTEM_CLOCK) -> Iterator[Status]:
    """Looks again and again, until all runs have ended or only errors are left that asking again cannot change.

    After a lost connection, or if a target asks for fewer requests, it continues.
    """
    while True:
        now = look()
        yield now
        lasting = {run_id for run_id, error in now.failures.items() if not isinstance(error, (NoAnswer, Later))}
        active = [run for run in now.runs if run.state.is_active and run.id not in lasting]
        if not active:
            return
        if now.failures:
            targets.close()  # perhaps the connection is broken, or a sign-in has to be renewed
        clock.sleep(pause_between_looks(targets.project, active))


def pause_between_looks(project: Project, active: Iterable[Run]) -> float:
    """Seconds to wait before these runs are asked for again: as long as the most patient of their targets wants."""
    found = [known for name in {run.target for run in active} if (known := known_abilities(project, name))]
    return max((each.look_every.status for each in found), default=_PAUSE)
