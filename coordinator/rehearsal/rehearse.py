"""The verb rehearse: an experiment runs on the visible data, again on the hidden ones, and is scored, all locally.

Its run is a run as any other: it is in the ledger, and not repeated while it would do the same. The rerun is no
submission: neither the ledger nor the day's limit has it.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from coordinator.errors import CoordError, Later, RunFailed, RunNotFound, SubmissionError, UsageError
from coordinator.kaggle_rules import normal_name
from coordinator.ledger import Run, find_experiment
from coordinator.project import Experiment
from coordinator.rehearsal import evidence
from coordinator.rehearsal.findings import (
    FindingKind,
    JudgedRerun,
    RehearsalFinding,
    Session,
    expected_seconds,
    first_of,
    of_rerun,
    of_run,
)
from coordinator.results import Sources
from coordinator.runs import output_file, push_chain, push_several, wait_for_end
from coordinator.submissions import file as submission_file
from coordinator.target import LogRecord, RunState, SubmissionState, local
from coordinator.text import command_line
from coordinator.workspace import Workspace

_WAITS = (0.1, 0.2, 0.3, 0.5, 1.0)
"""Seconds between two looks at the rerun; the last one is repeated."""


@dataclasses.dataclass(frozen=True)
class RehearsalOptions:
    """What is to be rehearsed of an experiment, and how."""

    competition: str | None = None
    """Its slug; None: the one that the settings name, or else the one that is attached."""
    file_name: str = "submission.csv"
    overrides: tuple[str, ...] = ()
    with_needs: bool = False
    """First run what it needs, unless that is done."""
    rows: int | None = None
    """How many rows Kaggle's hidden data have: the time is judged for these."""


@dataclasses.dataclass(frozen=True)
class Rehearsal:
    """What a rehearsal has found."""

    run: Run
    competition: str
    visible: Session
    rerun: JudgedRerun | None
    """None if there was nothing to run again."""
    findings: tuple[RehearsalFinding, ...]
    public: float | None
    private: float | None
    notes: tuple[str, ...]
    """What could not be looked at."""
    rows: int | None = None
    """How many rows Kaggle's hidden data have, if that was given."""
    expected_seconds: float | None = None
    """How long they would take, if that is known."""

    @property
    def fails(self) -> bool:
        """Whether the kernel would fail on Kaggle."""
        return any(each.fails for each in self.findings)

    def to_json(self) -> dict[str, Any]:
        rerun = self.rerun
        return {
            "experiment": self.run.experiment,
            "version": self.run.version,
            "run_id": self.run.id,
            "competition": self.competition,
            "fails": self.fails,
            "findings": [each.to_json() for each in self.findings],
            "public": self.public,
            "private": self.private,
            "visible": _session_json(self.visible),
            "hidden": None if rerun is None else _session_json(rerun.session),
            "limit_seconds": None if rerun is None else rerun.limit,
            "expected_seconds": self.expected_seconds,
            "notes": list(self.notes),
        }


def _session_json(session: Session) -> dict[str, Any]:
    rows = session.rows
    return {"rows": None if rows is None else len(rows), "seconds": session.seconds}


def rehearse(workspace: Workspace, name: str, options: RehearsalOptions) -> Rehearsal:
    """Runs the experiment on the local target and again with its competition's hidden data, and judges both.

    `workspace` has the local target. Raises UsageError if the competition is not known or has no hidden data here, and
    what a push raises.
    """
    experiment = find_experiment(workspace.project, name, options.overrides)
    competition = _competition(workspace, experiment, options)
    data = _data(workspace, competition)
    run = _ended_run(workspace, experiment, options)
    sources = Sources(workspace.project.root, run.files)
    visible = _visible(workspace, run, data, sources)
    state = "" if run.state is RunState.COMPLETE else f"{run.state.phrase}"
    findings = [*of_run(visible, has_internet=bool(run.metadata.get("enable_internet")), state=state)]
    told = Rehearsal(run, competition, visible, None, (), None, None, tuple(_notes(workspace, data)), options.rows)
    if state:
        return dataclasses.replace(told, findings=tuple(findings))
    try:
        run, file = output_file.ensure_local(workspace, run, options.file_name)
        visible = dataclasses.replace(visible, given=evidence.read_rows(file))
        if problems := _problems(workspace, file, _sample(workspace, data), "the visible run's file"):
            findings.append(
                RehearsalFinding(FindingKind.FILE, "the visible run's file would be refused", first_of(problems))
            )
    except SubmissionError as error:
        findings.append(RehearsalFinding(FindingKind.FILE, error.what, error.hint or ""))
        return dataclasses.replace(told, findings=tuple(findings))
    seen = _run_again(workspace, run, competition, options.file_name)
    rerun = _judged(workspace, seen, data, sources)
    findings += of_rerun(visible, rerun, rows_of_kaggle=options.rows)
    return dataclasses.replace(
        told,
        run=run,
        visible=visible,
        rerun=rerun,
        findings=tuple(findings),
        public=seen.public,
        private=seen.private,
        expected_seconds=None if options.rows is None else expected_seconds(visible, rerun, options.rows),
    )


def _competition(workspace: Workspace, experiment: Experiment, options: RehearsalOptions) -> str:
    attached = experiment.kernel.competition_sources
    named = options.competition or workspace.project.settings.submission.competition
    slug = normal_name(named) if named else attached[0] if len(attached) == 1 else None
    if slug is None:
        has = f"{len(attached)} competitions" if attached else "no competition"
        raise UsageError(
            f"in which competition? {experiment.name} has {has} attached",
            hint=f"Name it with --competition {' or '.join(attached) if attached else 'SLUG'}.",
        )
    if slug not in attached:
        raise UsageError(
            f"{experiment.name} does not read {slug}, so its rerun would not see the hidden data",
            hint=f'Attach it: competition_sources = ["{slug}"] in [tool.coord.kernel].',
        )
    return slug


def _data(workspace: Workspace, competition: str) -> local.HiddenData:
    found = local.hidden_data(workspace.project, competition)
    if found is None:
        raise UsageError(
            f"the local Kaggle has no hidden data of {competition}: make a folder like the competition's data, with "
            "other rows to predict",
            hint=f"coord local add-competition {competition} DATA --hidden DIR --code-only --solution FILE\n"
            "Without --solution it runs again, and is not scored. --gateway FILE where a gateway asks for predictions.",
        )
    return found


def _ended_run(workspace: Workspace, experiment: Experiment, options: RehearsalOptions) -> Run:
    """The run of the experiment, new or of the same work, after its end."""
    names, overrides = [experiment.name], options.overrides
    with _explaining_needs(experiment, options):
        if options.with_needs:
            results = push_chain(workspace, names, overrides, force=False, wait_for_slot=False)
        else:
            results = push_several(workspace, names, overrides, force=False, wait_for_slot=False)
        (result,) = results
        if result.error is not None:
            raise result.error
    if result.run is None:
        raise RuntimeError(f"{experiment.name} was neither pushed nor refused")
    run = result.run
    if run.state.is_active:
        workspace.say(f"waiting for {run.label}, on the visible data")
    try:
        return wait_for_end(workspace, run)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"stopped waiting; {run.label} goes on, and the same command uses it") from None


@contextlib.contextmanager
def _explaining_needs(experiment: Experiment, options: RehearsalOptions) -> Iterator[None]:
    """Adds to the error of a need that has no complete run here what does everything."""
    try:
        yield
    except (Later, RunNotFound, RunFailed) as error:
        if not experiment.needs or options.with_needs:
            raise
        command = command_line("coord", "rehearse", "--exp", experiment.name, "--with-needs")
        hint = "\n".join(filter(None, [error.hint, f"All of it, and then the rehearsal: {command}"]))
        raise type(error)(error.what, hint=hint) from error


def _visible(workspace: Workspace, run: Run, data: local.HiddenData, sources: Sources) -> Session:
    seconds = local.session_seconds(workspace.project, run.ref)
    log = list(workspace.target.log(run.ref)) if run.state is not RunState.COMPLETE and run.has_kernel else []
    wanted = evidence.read_rows(evidence.sample_in(data.visible))
    return _session(seconds, wanted, None, log, sources)


def _sample(workspace: Workspace, data: local.HiddenData) -> Path | None:
    """The sample submission of the visible data."""
    named = workspace.project.settings.submission.sample
    return evidence.sample_in(data.visible) if named is None else workspace.project.root / named


def _session(
    seconds: float | None,
    wanted: evidence.Rows | None,
    given: evidence.Rows | None,
    log: list[LogRecord],
    sources: Sources,
) -> Session:
    return Session(seconds, wanted, given, evidence.last_error(log, sources), evidence.says_no_internet(log))


def _notes(workspace: Workspace, data: local.HiddenData) -> Iterator[str]:
    if data.solution is None:
        yield "not scored: the competition has no --solution here"
    if evidence.sample_in(data.hidden) is None and data.solution is None:
        yield "the hidden data have no sample submission: the rerun's ids and columns are not checked"
    if not local.is_isolated(workspace.project):
        yield "sessions are not isolated here: they have the internet, which on Kaggle they do not"


def _run_again(workspace: Workspace, run: Run, competition: str, file_name: str) -> local.Rerun:
    """The rerun, after its end."""
    local.start_rehearsal(workspace.project, run.ref, competition, file_name)
    workspace.say(f"running {run.label} again, on the hidden data of {competition}")
    looked = 0
    try:
        while (found := local.rerun(workspace.project, run.ref.address)).state is SubmissionState.PENDING:
            workspace.clock.sleep(_WAITS[min(looked, len(_WAITS) - 1)])
            looked += 1
    except KeyboardInterrupt:
        local.end_rehearsal(workspace.project, run.ref)
        raise KeyboardInterrupt("the rerun was ended; the same command begins it again") from None
    return found


def _judged(workspace: Workspace, seen: local.Rerun, data: local.HiddenData, sources: Sources) -> JudgedRerun:
    sample = evidence.sample_in(data.hidden)
    wanted = evidence.read_rows(sample if sample is not None else data.solution)
    session = _session(seen.seconds, wanted, evidence.read_rows(seen.file), list(seen.log), sources)
    asked = evidence.last_error(seen.gateway_log, sources)
    if session.error is None and asked is not None and asked.place:  # what the kernel's function raised
        session = dataclasses.replace(session, error=asked)
    return JudgedRerun(
        session,
        seen.limit,
        failure=(seen.error or "").partition(":")[0] if seen.state is SubmissionState.ERROR else "",
        detail=seen.detail or "",
        only_visible=seen.only_visible,
        problems=_problems(workspace, seen.file, sample, "the rerun's file") if seen.file else "",
        is_scored=seen.public is not None,
    )


def _problems(workspace: Workspace, file: Path, sample: Path | None, name: str) -> str:
    """What is not as in the sample, a problem a line; "" if all is, or it is no CSV file."""
    if file.suffix.lower() != ".csv":
        return ""
    several = workspace.project.settings.submission.several_rows
    try:
        expected = None if sample is None else submission_file.form(sample)
        submission_file.check(file, expected, name=name, several_rows=several)
    except CoordError as error:
        first, _, problems = error.what.partition("\n")
        return problems or first
    return ""
