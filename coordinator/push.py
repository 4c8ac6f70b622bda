"""The verb push: experiment -> build -> intent in the ledger -> one new version on the target."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from coordinator import git
from coordinator.build import TEMPLATE, Build
from coordinator.bundle.script import stamped
from coordinator.errors import CoordError, NoAnswer, TargetError
from coordinator.ledger import Ledger, Run, new_run_id, now
from coordinator.locks import held
from coordinator.metadata import KernelMetadata, check_source_size, with_owner
from coordinator.project import Project
from coordinator.refresh import refresh, settle
from coordinator.target import RunState, Target


def push(
    project: Project, target: Target, ledger: Ledger, built: Build, *, force: bool, say: Callable[[str], None]
) -> Run:
    """Pushes a built kernel and returns its run.

    Raises TargetError if a run of this experiment is active (unless `force`: a second session), if the kernel exists as
    the other type, if the target refused, or if it did not accept an attached source (the version that started is
    named). Raises NoAnswer if the answer was lost; the ledger then knows, and `coord status` settles it.
    """
    metadata = with_owner(built.metadata, target.owner)
    with held(project.push_lock(target.name, metadata.slug), wait=True):
        _check_active(project, target, ledger, built.experiment.name, force=force)
        _check_type(target, ledger, metadata)
        run = _intent(project, target, built, metadata)
        source = built.as_sent(stamped(built.script.text, run_id=run.id, git=run.git))
        check_source_size(len(source.encode("utf-8")))
        ledger.add(run)
        say(f"pushing {metadata.data['id']} to {target.name}: {len(source.encode('utf-8')):,} bytes, {run.digest[:19]}")
        return _send(target, ledger, run, metadata, source, built.experiment.kernel.timeout_seconds)


def _check_active(project: Project, target: Target, ledger: Ledger, experiment: str, *, force: bool) -> None:
    """Pushing to a kernel that is running starts a second session: never unasked."""
    for run in ledger.runs(experiment=experiment, target=target.name):
        if not run.state.is_active:
            continue
        # This process holds the push lock, so a push without an outcome has nobody working on it any more.
        current = settle(target, ledger, run)
        current = refresh(project, target, ledger, current, look_at_log=False)
        if current.state.is_active and not force:
            raise TargetError(
                f"{current.label} is {current.state}: {current.url}",
                hint=f"Wait for it (coord logs --exp {experiment} --follow), or start a second session with --force.",
            )


def _check_type(target: Target, ledger: Ledger, metadata: KernelMetadata) -> None:
    """A kernel stays a script or a notebook for good; what Kaggle does with the other is not documented."""
    address = (target.owner, metadata.slug)
    earlier = (run for run in ledger.runs(target=target.name) if (run.owner, run.slug) == address and run.version)
    before = next((run.metadata.get("kernel_type") for run in earlier), None)
    if before in (None, metadata.data["kernel_type"]) or target.source(*address) is None:
        return
    raise TargetError(
        f"{metadata.data['id']} is a {before} on {target.name}, and a kernel's type can't be changed",
        hint="Give the experiment another title ([tool.coord.kernel] title), or delete the kernel first.",
    )


def _intent(project: Project, target: Target, built: Build, metadata: KernelMetadata) -> Run:
    return Run(
        id=new_run_id(),
        experiment=built.experiment.name,
        target=target.name,
        owner=target.owner,
        slug=metadata.slug,
        digest=built.script.digest,
        config=built.experiment.config,
        metadata=metadata.data,
        overrides=list(built.experiment.overrides),
        state=RunState.PUSHING,
        created_at=now(),
        files={file.path: file.sha256 for file in built.files},
        git=git.commit(project.root, _inputs(project, built)),
        timeout_seconds=built.experiment.kernel.timeout_seconds,
    )


def _inputs(project: Project, built: Build) -> list[Path]:
    """Every file that the kernel's text is made of."""
    experiments = (built.experiment.name, *built.experiment.bases)
    return [
        *(project.root / file.path for file in built.files),
        *(project.experiment_file(name) for name in experiments),
        project.template(TEMPLATE),
        project.pyproject,
    ]


def _send(
    target: Target, ledger: Ledger, run: Run, metadata: KernelMetadata, source: str, timeout_seconds: int | None
) -> Run:
    try:
        pushed = target.push(metadata, source, timeout_seconds=timeout_seconds)
    except NoAnswer as error:
        ledger.update(run.id, message=error.what)
        raise NoAnswer(
            f"{error.what}; it is not known whether the push took effect",
            hint="Run coord status: it asks what arrived. Nothing is pushed twice.",
        ) from error
    except CoordError as error:
        ledger.update(run.id, state=RunState.REFUSED, message=error.what, ended_at=now())
        raise
    message = ""
    if pushed.refused_sources:
        message = f"without {', '.join(pushed.refused_sources)}, which {target.name} did not accept"
    run = ledger.update(
        run.id, state=RunState.QUEUED, version=pushed.ref.version, url=pushed.url, pushed_at=now(), message=message
    )
    if pushed.refused_sources:
        raise TargetError(
            f"{run.label} has started {message}: {run.url}",
            hint="Check the names"
            + (" (coord local add-dataset OWNER/SLUG DIR makes one known here)." if target.name == "local" else "."),
        )
    return run
