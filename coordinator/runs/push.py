"""The verb push: experiment -> build -> intent in the ledger -> one new version on the target."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from coordinator.bundle import script_in, stamp_of, stamped
from coordinator.clock import SYSTEM_CLOCK
from coordinator.datasets import push_folder, wait_for_attached
from coordinator.errors import CoordError, NoAnswer, NoSlot, NotSent, TargetError
from coordinator.files import held
from coordinator.kernel import TEMPLATE, Build, KernelMetadata, check_source_size, with_owner
from coordinator.ledger import Ledger, Run, claim, is_ahead, new_run_id, now
from coordinator.project import Project, git
from coordinator.runs.arrival import settle, wait_for_arrival
from coordinator.runs.missing_source import check_own_sources, kinds_of, source_remedy
from coordinator.runs.needs import ready_needs
from coordinator.runs.refresh import refresh_run
from coordinator.runs.same_work import reads_now
from coordinator.target import Pushed, RunState
from coordinator.text import in_one_line
from coordinator.workspace import Workspace

_SENT_AT_MOST = 3
"""How often a push is sent, if it is known that it did not arrive."""


def push_kernel(
    workspace: Workspace,
    built: Build,
    *,
    force: bool,
    wait_for_slot: bool = False,
    continues: str | None = None,
) -> Run:
    """Pushes a built kernel and returns its run.

    If the answer is lost, the target is asked what exists: the version that names this run is adopted; if there is none
    once it can't arrive any more, the same run is sent again, a few times at most.

    Its own data sets (sources, wheels) are on the target, and ready, before it is sent.

    With `wait_for_slot`, what the session limit refuses is tried again as sessions end; the run is refused meanwhile,
    and stays so after Ctrl-C. `continues` is the id of the run that it continues.

    It waits for data sets that this project pushed, are attached and are not ready yet.

    Raises TargetError if a run of this experiment is active (unless `force`: a second session), if a source of
    `own_sources` is missing, if the kernel exists as the other type, if the target refused, or if it did not accept an
    attached source (the version that started is named). Raises NoAnswer if the target did not say what exists, either;
    the ledger then knows, and `coord status` settles it. Raises what `ready_needs` does if a run that the experiment
    needs is not there.
    """
    metadata = with_owner(built.metadata, workspace.target.owner)
    for text in ready_needs(workspace, built.experiment):
        workspace.say(text)
    check_own_sources(workspace, metadata.data)
    with held(workspace.project.push_lock(workspace.target.name, metadata.slug), wait=True):
        check_kernel(workspace, built, metadata, force=force)
        for own in built.datasets:
            push_folder(workspace, own.content, f"{workspace.target.owner}/{own.slug}")
        wait_for_attached(workspace, metadata.data.get("dataset_sources") or ())
        run = intent(workspace, built, metadata, continues)
        source = built.as_sent(stamped(built.script.text, run_id=run.id, git=run.git))
        if workspace.target.abilities.checks_kaggle_rules:
            check_source_size(len(source.encode("utf-8")))
        if warning := claim(workspace.ledger):
            workspace.say(warning)
        workspace.ledger.add(run)
        workspace.say(
            f"pushing {metadata.data['id']} to {workspace.target.name}: {len(source.encode('utf-8')):,} bytes, "
            f"{run.digest[:19]}"
        )
        timeout = built.experiment.kernel.timeout_seconds

        def send() -> Pushed:
            return workspace.target.push(metadata, source, timeout_seconds=timeout)

        while True:
            try:
                return _send(workspace, send, run)
            except KeyboardInterrupt:
                what = f"interrupted while {run.experiment} was pushed"
                raise KeyboardInterrupt(f"{what}; whether it has arrived: coord status") from None
            except NoSlot as error:
                if not wait_for_slot:
                    raise
                what = error.what.rstrip(".")
                workspace.say(f"{what}; trying again when a session has ended (Ctrl-C gives up: nothing is pushed)")
            _wait_for_slot(workspace)
            run = workspace.ledger.update(run.id, reads=reads_now(workspace, metadata, run.target))
            run = _again(workspace.ledger, run)


def check_kernel(workspace: Workspace, built: Build, metadata: KernelMetadata, *, force: bool) -> None:
    """Refuses a kernel that is running (unless `force`), or that exists as the other type. Its push lock is held."""
    _check_active(workspace, built.experiment.name, force=force)
    _check_type(workspace, metadata)


def _check_active(
    workspace: Workspace,
    experiment: str,
    *,
    force: bool,
) -> None:
    """Refuses to push to a kernel that is running, which would start a second session."""
    for number, run in enumerate(
        workspace.ledger.runs(experiment=experiment, target=workspace.target.name, hidden=True)
    ):
        if not run.state.is_active and not (number == 0 and run.never_arrived):
            continue
        # This process holds the push lock: no other process is working on a push without an outcome.
        current = settle(workspace, run)
        if current.state is RunState.PUSHING and not force:
            workspace.say(f"the last push of {experiment} has no answer: checking whether it arrives")
            current = wait_for_arrival(workspace, current)
        current = refresh_run(workspace, current, look_at_log=False)
        if current.state.is_active and not force:
            raise TargetError(
                ": ".join(filter(None, (f"{current.label} {current.state.phrase}", current.url))),
                hint=f"Wait for it (coord logs --exp {experiment} --follow), or start a second session with --force.",
            )


def _check_type(workspace: Workspace, metadata: KernelMetadata) -> None:
    """A kernel cannot change between script and notebook; what Kaggle does with such a push is not documented."""
    address = (workspace.target.owner, metadata.slug)
    earlier = (
        run
        for run in workspace.ledger.runs(target=workspace.target.name, hidden=True)
        if (run.owner, run.slug) == address and run.has_kernel
    )
    before = next((run.metadata.get("kernel_type") for run in earlier), None)
    if before in (None, metadata.data["kernel_type"]) or workspace.target.source(*address) is None:
        return
    raise TargetError(
        f"{metadata.data['id']} is a {before} on {workspace.target.name}, and a kernel's type can't be changed",
        hint="Give the experiment another title ([tool.coord.kernel] title), or delete the kernel first.",
    )


def intent(workspace: Workspace, built: Build, metadata: KernelMetadata, continues: str | None = None) -> Run:
    """The run that a push is about to make; the ledger does not have it yet."""
    created_at, sent_at = workspace.ledger.moment(), now()
    if is_ahead(datetime.fromisoformat(created_at).timestamp(), SYSTEM_CLOCK):
        workspace.say(
            f"warning: the ledger has entries of {created_at}, and this machine's clock says {sent_at}: was it set "
            "back? coord ledger check --repair dates them now"
        )
    commit = git.read_commit(workspace.project.root, _inputs(workspace.project, built))
    if commit.is_failure:
        workspace.say(f"warning: the run names no commit: {commit.why_not}\n{commit.remedy}")
    return Run(
        id=new_run_id(),
        experiment=built.experiment.name,
        target=workspace.target.name,
        owner=workspace.target.owner,
        slug=metadata.slug,
        digest=built.script.digest,
        config=built.experiment.config,
        metadata=metadata.data,
        overrides=list(built.experiment.overrides),
        state=RunState.PUSHING,
        created_at=created_at,
        sent_at=sent_at,
        files={file.path: file.sha256 for file in built.files},
        launch=dict(built.launch),
        git=commit.name,
        timeout_seconds=built.experiment.kernel.timeout_seconds,
        continues=continues,
        reads=reads_now(workspace, metadata, workspace.target.name),
    )


def _inputs(project: Project, built: Build) -> list[Path]:
    """Every file that the kernel's text is made of."""
    experiments = (built.experiment.name, *built.experiment.bases)
    return [
        *(project.root / file.path for file in built.files),
        # A sweep's experiment has no file of its own.
        *(file for file in map(project.experiment_file, experiments) if file.is_file()),
        project.template(TEMPLATE),
        project.pyproject,
    ]


def _send(workspace: Workspace, send: Callable[[], Pushed], run: Run) -> Run:
    for tries_left in reversed(range(_SENT_AT_MOST)):
        try:
            pushed = send()
        except CoordError as error:
            if isinstance(error, NotSent) or not isinstance(error, NoAnswer):
                workspace.ledger.update(run.id, state=RunState.REFUSED, message=error.what, ended_at=now())
                raise
            # From here on, not from the start of the request: a time-out may have taken longer than that.
            run = workspace.ledger.update(run.id, sent_at=now(), message=error.what)
            workspace.say(f"{error.what}; asking {workspace.target.name} whether the push arrived")
            run = found(workspace, run, error)
        else:
            if tries_left + 1 < _SENT_AT_MOST:
                _look_for_a_double(workspace, run, pushed)
            return answered(workspace, pushed, run)
        if run.version is not None:
            workspace.say(f"it did: {run.label}" + (f"; {in_one_line(run.message)}" if run.message else ""))
            return run
        if tries_left:
            workspace.say("it did not: pushing it again")
            run = _again(workspace.ledger, run)
    raise TargetError(
        f"the push was sent {_SENT_AT_MOST} times and never arrived on {workspace.target.name}",
        hint="Try again in a while.",
    )


def _again(ledger: Ledger, run: Run) -> Run:
    """Records the intent again, before the push is repeated."""
    return ledger.update(run.id, state=RunState.PUSHING, sent_at=now(), never_arrived=False, message="", ended_at=None)


def _wait_for_slot(workspace: Workspace) -> None:
    """Waits until a session has ended that the ledger knows, or for a few minutes."""
    begun = workspace.clock.seconds()
    running = [run for run in workspace.ledger.runs(target=workspace.target.name, hidden=True) if run.state.is_active]
    look_every = workspace.target.abilities.look_every
    while workspace.clock.seconds() - begun < look_every.retry:
        workspace.clock.sleep(look_every.slot)
        for run in running:
            try:
                if not refresh_run(workspace, run, look_at_log=False).state.is_active:
                    return
            except TargetError:
                pass  # the next look may succeed


def _look_for_a_double(workspace: Workspace, run: Run, pushed: Pushed) -> None:
    """Warns if an earlier try arrived after all: its session was not asked for."""
    before = pushed.ref.version - 1
    there = None
    try:
        there = workspace.target.source(run.owner, run.slug, before) if before else None
    except CoordError:
        pass  # this is only a warning: the push itself succeeded
    if there is not None and stamp_of(script_in(there[1])).get("run") == run.id:
        workspace.say(f"warning: an earlier try arrived after all, as version {before}: two sessions do the same")


def answered(workspace: Workspace, pushed: Pushed, run: Run) -> Run:
    """The run, with the version that the target gave it. Raises TargetError if it has not all of its sources."""
    lacks, message = pushed.refused_sources, ""
    if lacks:
        message = f"without {', '.join(lacks)}, which {workspace.target.name} did not accept"
    run = workspace.ledger.update(
        run.id,
        state=RunState.QUEUED,
        version=pushed.ref.version,
        url=pushed.url,
        pushed_at=now(),
        lacks=lacks,
        message=message,
    )
    if lacks:
        raise TargetError(
            ": ".join(filter(None, (f"{run.label} has started {message}", run.url))),
            hint=_what_to_check(workspace, run),
        )
    return run


def _what_to_check(workspace: Workspace, run: Run) -> str:
    """What to do about attached sources that were not accepted; the kernels of needs are pushed, not added."""
    needed = [name for name in run.lacks if name.rpartition("/")[2] in run.needs.values()]
    runs = workspace.ledger.runs(target=run.target, hidden=True)
    names = dict.fromkeys(each.experiment for each in runs if each.has_kernel and each.ref.address in needed)
    lines = [
        f"Its kernel may have been deleted: coord push --exp {name}, and then {run.experiment} again" for name in names
    ]
    for kind, name in kinds_of(run.metadata, [name for name in run.lacks if name not in needed]):
        lines.append(f"{name}: {source_remedy(workspace.project, kind, name, run.target)}")
    return "\n".join(lines)


def found(workspace: Workspace, run: Run, lost: NoAnswer) -> Run:
    """The run, adopted or given up. Raises NoAnswer if the target does not answer the questions either."""
    try:
        return wait_for_arrival(workspace, run)
    except CoordError as error:
        # The user asked for the push, so its own error comes first.
        raise NoAnswer(
            f"{lost.what}; it is not known whether the push took effect",
            hint="Run coord status: it asks what arrived. Nothing is pushed twice.",
        ) from error
