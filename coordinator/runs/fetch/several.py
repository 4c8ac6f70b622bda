"""The verb fetch-results, of one or several runs: an error of one run does not keep the others from being fetched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from coordinator.errors import CoordError, CredentialsError, Later, NoAccess, NotSent, RunFailed
from coordinator.ledger import Run
from coordinator.progress import Count
from coordinator.runs.fetch.fetch import EVERYTHING, Choice, again, fetch_run
from coordinator.runs.fetch.fetched import Fetched
from coordinator.target import RunState
from coordinator.workspace import Workspace


@dataclass(frozen=True)
class NotFetched:
    """A run whose results could not be fetched."""

    run: Run
    error: CoordError

    @property
    def is_active(self) -> bool:
        """The run has not ended yet."""
        return isinstance(self.error, RunFailed)

    @property
    def is_gone(self) -> bool:
        """The run was cancelled, and the target has nothing of it any more."""
        return isinstance(self.error, NoAccess) and self.run.state is RunState.CANCELLED


@dataclass(frozen=True)
class FetchResult:
    """What happened to several runs."""

    fetched: tuple[Fetched, ...]
    not_fetched: tuple[NotFetched, ...]
    not_tried: dict[str, int] = field(default_factory=dict)
    """Target -> how many runs it was not asked for, because it gives no answers at the moment."""


def fetch_several(
    workspace: Workspace, runs: Sequence[Run], *, force: bool = False, choice: Choice = EVERYTHING
) -> FetchResult:
    """Fetches the runs one after the other, from whatever target each is on; see `fetch_run`.

    A target that gives no answer, or refuses the credentials, is not asked for further runs. Ctrl-C raises
    KeyboardInterrupt with the command that goes on.
    """
    fetched, not_fetched = list[Fetched](), list[NotFetched]()
    not_tried: dict[str, int] = {}
    with workspace.progress(count := Count("fetching", len(runs), "runs")):
        for run in count.each(runs):
            if run.target in not_tried:
                not_tried[run.target] += 1
                continue
            try:
                with workspace.open_target(run.target) as there:
                    fetched.append(fetch_run(there, run, force=force, choice=choice))
            except KeyboardInterrupt:
                raise KeyboardInterrupt(f"interrupted: what came is kept; go on with: {again(run)}") from None
            except CoordError as error:
                not_fetched.append(each := NotFetched(run, error))
                if each.is_gone:
                    workspace.say(f"{run.label} was cancelled, and nothing is left of it on {run.target}")
                if isinstance(error, (CredentialsError, Later, NotSent)):
                    not_tried[run.target] = 0
    return FetchResult(tuple(fetched), tuple(not_fetched), not_tried)
