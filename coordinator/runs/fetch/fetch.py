"""The verb fetch-results: what a run left behind, into `results/<experiment>/<target>-v<version>/` and the ledger."""

from __future__ import annotations

import fnmatch
import functools
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from coordinator.bundle import script_in, stamp_of
from coordinator.disk import hint as full_hint
from coordinator.errors import CoordError, RunFailed
from coordinator.files import held
from coordinator.ledger import Run, Sweep, now, sweeps_of
from coordinator.project import Project
from coordinator.results import (
    LOG_RECORDS,
    LOG_TEXT,
    PARTS,
    RUN,
    SUMMARY,
    Results,
    Sources,
    lacking_of,
    log_lines,
    reported,
)
from coordinator.runs.fetch.fetched import Fetched
from coordinator.runs.fetch.metrics import check_origin, no_metrics, with_metrics
from coordinator.runs.refresh import refresh_run
from coordinator.target import LogRecord
from coordinator.transfers import Addresses, Tally, Transfer, arriving
from coordinator.workspace import Workspace

_FIRST = tuple(map(PurePosixPath, (SUMMARY, "oof.csv", "submission.csv")))
"""What one looks at first: here, with the log, before anything large begins."""


@dataclass(frozen=True)
class Choice:
    """Which files of the output are wanted: `only` these, without those to `skip`. Shell patterns.

    A pattern with a slash is of the whole path, and any other of the file's name. `*` matches a slash, too.
    """

    only: Sequence[str] = ()
    skip: Sequence[str] = ()

    def takes(self, path: PurePosixPath) -> bool:
        def matches(pattern: str) -> bool:
            return fnmatch.fnmatchcase(str(path) if "/" in pattern else path.name, pattern)

        return (not self.only or any(map(matches, self.only))) and not any(map(matches, self.skip))


EVERYTHING = Choice()


def fetch_run(
    workspace: Workspace,
    run: Run,
    *,
    force: bool,
    choice: Choice = EVERYTHING,
) -> Fetched:
    """Brings back log, output and kernel of a run that has ended (successfully or not): what is not here yet of it.

    `force` counts what the choice takes as not here. What has come of a file stays when this is interrupted, and the
    next fetch goes on there. Raises RunFailed if the run has not
    ended, TargetError if the output is not this run's, CoordError if it cannot be written. A file that cannot have its
    name here is left out, with a warning.
    """
    if run.is_merged:
        results = Results(workspace.project.results(run.experiment, run.target, run.results_version))
        return Fetched(run=run, directory=results.directory, files=results.names(), size=0)
    run = refresh_run(workspace, run)
    if run.state.is_active:
        raise RunFailed(
            f"{run.label} {run.state.phrase}: there is nothing to fetch yet",
            hint=f"coord logs --exp {run.experiment} --follow waits for it.",
        )
    with held(workspace.project.fetch_lock(run.id), wait=True):
        run = workspace.ledger.get(run.id)  # another process may have just fetched it
        results = Results(workspace.project.results(run.experiment, run.target, run.ref.version))
        may_lack = bool(choice.only and workspace.project.settings.fetch_skip)  # what was skipped is named now, perhaps
        if not force and not may_lack and _is_complete(run, results, choice):
            return Fetched(run=run, directory=results.directory, files=results.names(), size=0)
        if run.fetched_at:
            run = workspace.ledger.update(run.id, fetched_at=None)
        try:
            return _Fetch(workspace, run, results, choice, force).all()
        except OSError as error:
            raise _cannot_write(workspace.project, run, results, error) from error


def again(run: Run) -> str:
    """The command that fetches the rest."""
    return f"coord fetch-results --exp {run.experiment} --target {run.target} --version {run.version}"


@dataclass(frozen=True)
class _Fetch:
    """One fetch, under its lock."""

    workspace: Workspace
    run: Run
    results: Results
    choice: Choice
    force: bool

    def all(self) -> Fetched:
        run, results = self.run, self.results
        results.make_room(provenance(run, sweeps_of(self.workspace.ledger, run)))
        listed = self._output()
        files = listed.files
        usual = Choice(skip=self.workspace.project.settings.fetch_skip)
        wanted = [path for path in files if self.choice.takes(path) and (self.choice.only or usual.takes(path))]
        if self.force:
            results.forget(wanted)
        fetched = results.fetched()
        missing = [path for path in wanted if not results.is_here(path, fetched.get(path))]
        tally = Tally(len(missing), f"fetching {run.label}")
        transfer = Transfer(
            self.workspace.target.open_output,
            results,
            Addresses(files, lambda: self._output().files),
            tally,
            threading.Event(),
            clock=self.workspace.clock,
            most=self.workspace.target.abilities.largest_output,
            at_once=self.workspace.target.abilities.transfers_at_once,
        )
        records: list[LogRecord] = []
        refused: dict[str, list[str]] = {}
        bring = {path: functools.partial(arriving.bring_named, transfer, path, refused) for path in missing}
        first = [bring.pop(path) for path in _FIRST if path in bring]
        self._run(transfer, [*first, lambda: records.extend(self._save_log()), self._save_source])
        # Another run's metrics.json ends the fetch before large files begin.
        own, _ = reported(results.directory / SUMMARY)
        if own is not None and own.is_coords:
            check_origin(run, own)
            run = self.workspace.ledger.update(run.id, summary=own)
        self._run(transfer, list(bring.values()))
        run, remarks = with_metrics(self.workspace, run, results.directory, list(log_lines(records)))
        fetched = results.fetched()
        unfit = {PurePosixPath(name) for names in refused.values() for name in names}
        left_out = [path for path in files.keys() - unfit if not results.is_here(path, fetched.get(path))]
        is_complete = not any(map(usual.takes, left_out))
        results.finish(complete=is_complete)
        if is_complete:
            run = self.workspace.ledger.update(run.id, fetched_at=now())
        remarks += [] if remarks or left_out else no_metrics(run)
        empty = [] if records else [f"{run.label} has an empty log"]
        warnings = (*remarks, *empty, *arriving.said(listed.left_alone), *listed.said(), *arriving.said(refused))
        return Fetched(run, results.directory, results.names(), tally.moved, len(left_out), warnings)

    def _output(self) -> arriving.Arriving:
        ours = {PARTS, RUN, LOG_TEXT, LOG_RECORDS, self.run.metadata["code_file"]}
        listed = self.workspace.target.outputs(self.run.ref)
        return arriving.Arriving.of(listed, ours, ignores_case=self.results.ignores_case())

    def _run(self, transfer: Transfer, jobs: Sequence[Callable[[], None]]) -> None:
        with self.workspace.progress(transfer.tally):
            arriving.run(transfer, jobs, go_on=again(self.run))

    def _save_log(self) -> list[LogRecord]:
        records = self.workspace.target.log(self.run.ref)
        self.results.write(LOG_RECORDS, json.dumps([asdict(record) for record in records], ensure_ascii=False))
        sources = Sources(self.workspace.project.root, self.run.files)
        text = "".join(f"{sources.relative(line)}\n" for line in log_lines(records))
        self.results.write(LOG_TEXT, text)
        return records

    def _save_source(self) -> None:
        """Saves the kernel that ran, if the target still gives it: the one whose stamp names this run, and no other."""
        run = self.run
        found = self.workspace.target.source(run.owner, run.slug, run.ref.version)
        if found is not None and stamp_of(script_in(found[1])).get("run") == run.id:
            self.results.write(run.metadata["code_file"], found[1])


def not_here(project: Project, runs: Sequence[Run]) -> list[Run]:
    """Those with a kernel that were not fetched as a whole yet, or of whose results something is missing here.

    A version that a later run of the same kernel has got is left out: its kernel was deleted, and made again.
    """
    newest: dict[tuple[str, str, str, int | None], str] = {}
    for run in runs:  # the newest first
        newest.setdefault((run.target, run.owner, run.slug, run.version), run.id)
    with_kernel = [run for run in runs if run.has_kernel]
    last = [run for run in with_kernel if newest[run.target, run.owner, run.slug, run.version] == run.id]
    return [run for run in last if not run.fetched_at or lacking(project, run)]


def lacking(project: Project, run: Run) -> tuple[str, ...]:
    """What is missing here of the results of a run that was fetched: the folder (with a slash), or files of it."""
    if not run.fetched_at or run.version is None:
        return ()
    usual = project.results(run.experiment, run.target, run.results_version)
    found = lacking_of(usual, run.id)
    return (f"{project.relative(usual)}/",) if found is None else tuple(map(str, found))


def _is_complete(run: Run, results: Results, choice: Choice) -> bool:
    """Whether it was fetched as a whole, and what the choice takes of that is still here."""
    return bool(
        run.fetched_at
        and (results.directory / RUN).is_file()
        and all(results.is_here(path, kept) for path, kept in results.fetched().items() if choice.takes(path))
    )


def provenance(run: Run, sweeps: Sequence[Sweep]) -> dict[str, Any]:
    """What these results are of: enough to build the same kernel again, to give a lost ledger the run back, and to go
    on with the sweeps it belongs to.
    """
    names = (
        *("id", "experiment", "target", "owner", "slug", "version", "url", "digest", "git", "overrides", "files"),
        *("state", "message", "created_at", "pushed_at", "started_at", "ended_at", "timeout_seconds"),
        *("last_event", "continues", "reads", "lacks", "stop_requested", "hidden_at", "config", "launch", "metadata"),
    )
    values = run.to_json()
    return {name: values[name] for name in names} | {"sweeps": [each.to_json() for each in sweeps]}


def _cannot_write(project: Project, run: Run, results: Results, error: OSError) -> CoordError:
    where = project.relative(results.directory)
    if (full := full_hint(error, results.directory)) is not None:
        hint = f"{full} What came is kept; go on with: {again(run)}"
        return CoordError(f"{where}/ cannot be written: {error.strerror or error}", hint=hint)
    about = f" ({project.relative(Path(error.filename))})" if isinstance(error.filename, str) else ""
    return CoordError(f"{where}/ cannot be written: {error.strerror or error}{about}")
