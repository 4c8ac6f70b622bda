"""Compares the ledger with results/: runs, the sweeps they belong to, notes and tags."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath

from coordinator.bundle import digest_of, script_in, stamp_of
from coordinator.errors import TargetError
from coordinator.kernel import CODE_FILE
from coordinator.ledger import Run, Sweep, remarks, sweeps
from coordinator.maintenance.ledger.problem import Problem
from coordinator.maintenance.ledger.rebuilt import fetched
from coordinator.project import Project
from coordinator.results import RUN, SUMMARY, Results, Summary, read_summary
from coordinator.runs import output_file
from coordinator.workspace import Workspace


def check(workspace: Workspace) -> Iterator[Problem]:
    """Yields the differences; results/ is right, because only runs that have ended are fetched."""
    told: dict[str, Sweep] = {}
    yield from _results(workspace, told)
    yield from _sweeps(workspace, told.values())
    yield from _remarks(workspace)


def _results(workspace: Workspace, told: dict[str, Sweep]) -> Iterator[Problem]:
    """Folders that belong to no run, or hold another run's files; fetched runs whose folder is gone.

    Puts the sweeps of these runs into `told`, by name: reading all folders takes the most time of a check.
    """
    known = {run.id: run for run in workspace.ledger.readable()}
    there = set[str]()
    for directory, found in fetched(workspace):
        name = partial(workspace.project.relative, directory)
        if found is None:
            yield Problem(f"{name()}/ has no readable {RUN}: its run is not known", "move it away")
            continue
        rebuilt = found.run
        told |= {sweep.name: sweep for sweep in found.sweeps}
        run = known.get(rebuilt.id)
        if run is None:
            yield Problem(
                f"{name()}/ is of run {rebuilt.id}, which the ledger does not have",
                "add the run, from its results",
                partial(workspace.ledger.replace, rebuilt),
            )
            run = rebuilt
        elif (run.experiment, run.target, run.version) != (rebuilt.experiment, rebuilt.target, rebuilt.version):
            yield Problem(
                f"{name()}/ holds the results of {rebuilt.label}, but its run {run.id} is {run.label}", "move it away"
            )
            continue
        there.add(run.id)
        yield from _contents(workspace.project, directory, run, rebuilt.summary)
    for run in known.values():
        if (
            run.id not in there
            and run.fetched_at
            and run.has_kernel
            and not workspace.project.results(run.experiment, run.target, run.results_version).is_dir()
        ):
            yield Problem(
                f"{run.label} was fetched, and its results are gone",
                f"forget that it was: coord fetch-results --exp {run.experiment} brings them again",
                partial(workspace.ledger.update, run.id, fetched_at=None),
            )


def _contents(project: Project, directory: Path, run: Run, summary: Summary | None) -> Iterator[Problem]:
    """Metrics and kernel must be of this run, and the kernel must be the pushed one. `summary` was read here."""
    again = f"bring them again: coord fetch-results --exp {run.experiment} --version {run.version} --force"
    try:
        summary = summary or read_summary(directory / SUMMARY)
    except TargetError as error:
        kept = Results(directory).fetched().get(PurePosixPath(SUMMARY))
        # Else the run itself left it like this.
        if kept is None or output_file.sha256(directory / SUMMARY) != kept.sha256:
            yield Problem(error.what, again)
            return
        summary = None
    if summary is not None and summary.run_id != run.id:
        whose = f"run {summary.run_id}" if summary.run_id else "an unnamed run"
        yield Problem(f"{project.relative(directory / SUMMARY)} is of {whose}, not {run.id}", again)
    kernel = directory / str(run.metadata.get("code_file", CODE_FILE))
    if kernel.is_file():
        script = script_in(kernel.read_text(encoding="utf-8", errors="replace"))
        if stamp_of(script).get("run") != run.id:
            yield Problem(f"{project.relative(kernel)} is not of run {run.id}", again)
        elif digest_of(script) != run.digest:
            yield Problem(
                f"{project.relative(kernel)} is not what was pushed: its digest is {digest_of(script)}", again
            )


def _sweeps(workspace: Workspace, told: Iterable[Sweep]) -> Iterator[Problem]:
    """Sweeps of the runs in results/. Each of these runs has a record of its whole sweep."""
    known = {sweep.name for sweep in sweeps.all_sweeps(workspace.ledger)}
    for sweep in sorted(told, key=lambda each: each.created_at):
        if sweep.name not in known:
            yield Problem(
                f"runs in results/ are of the sweep {sweep.name}, which the ledger does not have",
                f"add it, with its {len(sweep.members)} experiments",
                partial(sweeps.add, workspace.ledger, sweep),
            )


def _remarks(workspace: Workspace) -> Iterator[Problem]:
    """Notes and tags, which are written into the ledger and into a second file."""
    copy = workspace.project.remarks
    here, there = remarks.remarks_of(workspace.ledger), remarks.kept(copy)
    name = workspace.project.relative(copy)
    known, kept = {*map(repr, here)}, {*map(repr, there)}  # from a file, a value may be of any type
    if lost := [each for each in there if repr(each) not in known]:
        yield Problem(
            f"{name} has notes or tags that the ledger lacks: {len(lost)}",
            "add them to the ledger",
            partial(remarks.restore, workspace.ledger, lost),
        )
    if single := [each for each in here if repr(each) not in kept]:
        yield Problem(
            f"{name} lacks notes or tags of the ledger: {len(single)}",
            "copy them into the file",
            partial(remarks.keep, copy, single),
        )
