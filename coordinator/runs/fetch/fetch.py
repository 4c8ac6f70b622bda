"""The verb fetch-results: what a run left behind, into `results/<experiment>/<target>-v<version>/` and the ledger."""

from __future__ import annotations

import errno
import fnmatch
import functools
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from coordinator.bundle import script_in, stamp_of
from coordinator.errors import CoordError, RunFailed, TargetError
from coordinator.files import held
from coordinator.ledger import Run, Sweep, now, sweeps_of
from coordinator.names import confined, same_file
from coordinator.project import Project
from coordinator.results import (
    LOG_RECORDS,
    LOG_TEXT,
    PARTS,
    RUN,
    SUMMARY,
    Results,
    Sources,
    log_lines,
    reported,
)
from coordinator.runs.fetch import parallel
from coordinator.runs.fetch.fetched import Fetched
from coordinator.runs.fetch.metrics import check_origin, no_metrics, with_metrics
from coordinator.runs.fetch.progress import Progress, Tally
from coordinator.runs.fetch.transfer import Addresses, Transfer
from coordinator.runs.refresh import refresh_run
from coordinator.target import LogRecord, OutputFile
from coordinator.workspace import Workspace

_FIRST = tuple(map(PurePosixPath, (SUMMARY, "oof.csv", "submission.csv")))
"""What one looks at first: here, with the log, before anything large begins."""

_THREADS = 32  # most output is many small files, whose time is the way to the target and back
_OF_THE_NAME = (
    *(errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ),
    *(errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.ENOTEMPTY),
)
"""Errors of a file system that takes no file of this name, or has a folder of it."""
_NAME_SHOWN = 80  # characters
_BAD_FILES = 3  # that are left out before a fetch gives up


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
    show: Callable[[Progress], None],
    choice: Choice = EVERYTHING,
) -> Fetched:
    """Brings back log, output and kernel of a run that has ended (successfully or not): what is not here yet of it.

    `force` counts what the choice takes as not here. `show` is told several times a second how far it is. What has come
    of a file stays when this is interrupted, and the next fetch goes on there. Raises RunFailed if the run has not
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
            return _Fetch(workspace, run, results, choice, force, show).all()
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
    show: Callable[[Progress], None]

    def all(self) -> Fetched:
        run, results = self.run, self.results
        results.make_room(provenance(run, sweeps_of(self.workspace.ledger, run)))
        files, left_alone = self._output()
        usual = Choice(skip=self.workspace.project.settings.fetch_skip)
        wanted = [path for path in files if self.choice.takes(path) and (self.choice.only or usual.takes(path))]
        if self.force:
            results.forget(wanted)
        fetched = results.fetched()
        missing = [path for path in wanted if not results.is_here(path, fetched.get(path))]
        tally = Tally(len(missing))
        transfer = Transfer(
            self.workspace.target,
            results,
            Addresses(files, self._listing),
            tally,
            threading.Event(),
            clock=self.workspace.clock,
        )
        records: list[LogRecord] = []
        refused: dict[str, list[str]] = {}
        bring = {path: functools.partial(self._bring, transfer, path, refused) for path in missing}
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
        warnings = (*remarks, *empty, *_left_alone(left_alone), *_left_alone(refused))
        return Fetched(run, results.directory, results.names(), tally.moved, len(left_out), warnings)

    def _bring(self, transfer: Transfer, path: PurePosixPath, refused: dict[str, list[str]]) -> None:
        """Brings a file, or notes why this system takes no file of that name."""
        try:
            transfer.bring(path)
        except (OSError, UnicodeEncodeError) as error:  # the latter where the file system's names are not UTF-8
            if isinstance(error, OSError) and error.errno not in _OF_THE_NAME:
                raise
            why = (error.strerror if isinstance(error, OSError) else error.reason) or "no reason given"
            refused.setdefault(f"this system refuses the name ({why})", []).append(str(path))

    def _listing(self) -> dict[PurePosixPath, OutputFile]:
        """The output by path, without what cannot be fetched; of a name that comes twice, the first."""
        return self._output()[0]

    def _output(self) -> tuple[dict[PurePosixPath, OutputFile], dict[str, list[str]]]:
        """(what can be fetched, why not -> names). Names come from the target, so they are not trusted."""
        same = same_file if self.results.ignores_case() else str
        ours = {PARTS, RUN, LOG_TEXT, LOG_RECORDS, self.run.metadata["code_file"]}
        ours = {same(PurePosixPath(name)) for name in ours}
        found: dict[str, tuple[PurePosixPath, OutputFile]] = {}
        left_alone: dict[str, list[str]] = {}
        for file in self.workspace.target.outputs(self.run.ref):
            try:
                path = confined(file.name)
            except ValueError as error:
                left_alone.setdefault(str(error), []).append(file.name)
                continue
            first, _ = found.setdefault(same(path), (path, file))
            if same(PurePosixPath(path.parts[0])) in ours:
                del found[same(path)]
                left_alone.setdefault("coord's own files here have that name", []).append(file.name)
            elif first != path:
                left_alone.setdefault("this system takes another file's name for the same", []).append(file.name)
        for key, (path, file) in list(found.items()):
            if any(same(folder) in found for folder in path.parents):
                del found[key]
                left_alone.setdefault("a file has the name of its folder", []).append(file.name)
        return dict(found.values()), left_alone

    def _run(self, transfer: Transfer, jobs: Sequence[Callable[[], None]]) -> None:
        """Raises the first error, once everything that can be fetched is here."""
        errors = parallel.run(
            jobs,
            threads=_THREADS,
            stop=transfer.stop,
            beat=lambda: self.show(transfer.tally.progress()),
            tolerated=TargetError,
            at_most=_BAD_FILES,
        )
        for error in errors[:1]:
            others = f" (and {len(errors) - 1} more files could not be fetched)" if len(errors) > 1 else ""
            go_on = f"What came is kept; go on with: {again(self.run)}"
            raise type(error)(error.what + others, hint="\n".join(filter(None, [error.hint, go_on])))

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
        *("last_event", "continues", "reads", "lacks", "stop_requested", "config", "launch", "metadata"),
    )
    values = run.to_json()
    return {name: values[name] for name in names} | {"sweeps": [each.to_json() for each in sweeps]}


def _cannot_write(project: Project, run: Run, results: Results, error: OSError) -> CoordError:
    where = project.relative(results.directory)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return CoordError(
            f"{where}/ cannot be written: {error.strerror}",
            hint=f"What came is kept. Make room, and go on with: {again(run)}",
        )
    about = f" ({project.relative(Path(error.filename))})" if isinstance(error.filename, str) else ""
    return CoordError(f"{where}/ cannot be written: {error.strerror or error}{about}")


def _left_alone(names: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for why, each in names.items():
        shown, more = ", ".join(map(_shown, each[:3])), len(each) - 3
        yield f"not fetched, because {why}: {shown}{f' and {more} more' if more > 0 else ''}"


def _shown(name: str) -> str:
    text = name if name.isprintable() else ascii(name)
    return text if len(text) <= _NAME_SHOWN else f"{text[:_NAME_SHOWN]}..."
