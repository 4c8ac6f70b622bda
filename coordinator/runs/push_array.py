"""Many kernels in one request, of which some run at a time: for a target that has arrays."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import cast

from coordinator.bundle import stamped
from coordinator.errors import CoordError, NoAnswer, NotSent
from coordinator.files import held
from coordinator.kernel import Build, with_owner
from coordinator.ledger import Run, claim, now
from coordinator.runs.needs import ready_needs
from coordinator.runs.push import answered, check_kernel, found, intent
from coordinator.target import KernelPush, Pushed, PushesMany, RunState
from coordinator.workspace import Workspace


def push_array(
    workspace: Workspace, builds: Sequence[Build], *, at_once: int | None, pushed: Callable[[Run], None]
) -> list[CoordError]:
    """Pushes the kernels in one request, of which `at_once` run at a time; returns the errors of those refused.

    The ledger has the intents of all before the request. If its answer is lost, the target is asked which of them
    arrived, and these are adopted. `pushed` is called with each run that has a version. Raises NoAnswer if it is not
    known whether they arrived, and the error of the target if it refused them all.
    """
    refused: list[CoordError] = []
    runs: list[Run] = []
    pushes: list[KernelPush] = []
    with contextlib.ExitStack() as locks:
        chosen = {with_owner(built.metadata, workspace.target.owner).slug: built for built in builds}
        for slug, built in sorted(chosen.items()):  # in one order: of two processes, none waits for the other's lock
            metadata = with_owner(built.metadata, workspace.target.owner)
            try:
                for text in ready_needs(workspace, built.experiment):
                    workspace.say(text)
                locks.enter_context(held(workspace.project.push_lock(workspace.target.name, slug), wait=True))
                check_kernel(workspace, built, metadata, force=False)
            except CoordError as error:
                workspace.say(f"{built.experiment.name}: {error.what}")
                refused.append(error)
                continue
            run = intent(workspace, built, metadata)
            source = built.as_sent(stamped(built.script.text, run_id=run.id, git=run.git))
            runs.append(run)
            pushes.append(KernelPush(metadata, source, run.timeout_seconds))
        if not runs:
            return refused
        if warning := claim(workspace.ledger):
            workspace.say(warning)
        with workspace.ledger.transaction():
            for run in runs:
                workspace.ledger.add(run)
        most = "" if at_once is None else f", {at_once} at a time"
        workspace.say(f"pushing {len(runs)} kernels to {workspace.target.name} in one request{most}")
        for run, answer in zip(runs, _answers(workspace, runs, pushes, at_once), strict=True):
            if isinstance(answer, CoordError):
                workspace.ledger.update(run.id, state=RunState.REFUSED, message=answer.what, ended_at=now())
                workspace.say(f"{run.experiment}: {answer.what}")
                refused.append(answer)
                continue
            try:
                pushed(answer if isinstance(answer, Run) else answered(workspace, answer, run))
            except CoordError as error:  # it runs, without some of its sources
                refused.append(error)
    return refused


def _answers(
    workspace: Workspace, runs: Sequence[Run], pushes: Sequence[KernelPush], at_once: int | None
) -> Sequence[Pushed | Run | CoordError]:
    try:
        return cast(PushesMany, workspace.target).push_many(pushes, at_once=at_once)
    except CoordError as error:
        if isinstance(error, NotSent) or not isinstance(error, NoAnswer):
            for run in runs:
                workspace.ledger.update(run.id, state=RunState.REFUSED, message=error.what, ended_at=now())
            raise
        sent = [workspace.ledger.update(run.id, sent_at=now(), message=error.what) for run in runs]
        workspace.say(f"{error.what}; asking {workspace.target.name} which of the pushes arrived")
        asked = [found(workspace, run, error) for run in sent]
        lost = NoAnswer(f"its push never arrived on {workspace.target.name}")
        return [run if run.version is not None else lost for run in asked]
