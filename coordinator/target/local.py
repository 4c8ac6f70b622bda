"""The only module that uses the local Kaggle: its server, started in this process, and its dry runs.

There is no daemon: all its state is on disk, and its sessions are processes of their own.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from coordinator.errors import CoordError, DependencyError, TargetError, UsageError
from coordinator.project import Project
from coordinator.system import IS_WINDOWS
from coordinator.target.competitions import SubmissionState
from coordinator.target.kernel_ref import KernelRef
from coordinator.target.protocol import LogRecord

OWNER = "local"
"""The local Kaggle's user where the settings name no owner."""


def _module(name: str) -> ModuleType:
    if IS_WINDOWS:
        raise UsageError(
            "the local Kaggle (and with it dry-run and --target local) runs on Linux and macOS, not on Windows",
            hint="Use it in WSL: wsl --install, and there pip install 'coord[local]'. The target kaggle works here.",
        )
    try:
        return importlib.import_module(f"runner_test.{name}")
    except ModuleNotFoundError as error:
        raise DependencyError(
            f"the local Kaggle is not installed ({error.name} is missing)", hint="Run: pip install 'coord[local]'"
        ) from error


@dataclass(frozen=True)
class Server:
    """A local Kaggle that answers."""

    endpoint: str
    token: str = dataclasses.field(repr=False)
    """The key of any user."""


@contextlib.contextmanager
def local_kaggle(project: Project) -> Iterator[Server]:
    """A local Kaggle that answers while the context is open; sessions go on afterwards."""
    with _explained(), _module("server").running_server(project.local_kaggle, settings=_settings(project)) as server:
        yield Server(server.url, server.token)


def serve(project: Project, port: int, *, faults: Path | None, url_lifetime: float) -> None:
    """Answers on a port of this machine until Ctrl-C. `faults` is a file of planned faults.

    Raises TargetError if the port is taken, the plan is invalid, or a planned fault has not happened by then.
    """
    with _explained():
        _module("server").serve(
            project.local_kaggle,
            port,
            token_user=project.settings.owner or OWNER,
            settings=_settings(project),
            plan=faults,
            url_lifetime=url_lifetime,
        )


def add_dataset(project: Project, ref: str, directory: Path) -> None:
    """Makes a folder known as the newest version of data set owner/slug. Raises UsageError if there is no folder."""
    _register(project, "add_dataset", ref, directory)


def add_model(project: Project, ref: str, directory: Path) -> None:
    """Makes a folder known as owner/model/framework/variation/version. Raises UsageError for another name."""
    _register(project, "add_model", ref, directory)


@dataclass(frozen=True)
class Scoring:
    """How a local competition scores submissions, with the project's scorer."""

    solution: Path | None
    """CSV file; None: it takes no submissions, and its hidden data are for rehearsals.

    A column `Usage` (Public, Private, Ignored) divides the rows; else they are divided at random."""
    public_share: float
    """Share of the ids in the public part, if they are divided at random."""
    daily_limit: int
    kernels_only: bool
    """A code competition: it takes kernels without the internet, and no files."""
    mode: Literal["max", "min"] = "max"
    """Which score is the better one on its leaderboard."""
    hidden: Path | None = None
    """The data with which it runs a submission's kernel again: that run's file is scored."""
    gateway: Path | None = None
    """The program that asks the kernel's inference server in that run."""
    time_limit: float = 0.0
    """Seconds that such a run may take; 0: as many as the kernel's session."""


def add_competition(project: Project, slug: str, directory: Path, scoring: Scoring | None = None) -> None:
    """Makes a folder known as a competition's data, and lets it take submissions if `scoring` says how.

    Raises UsageError if there is no such folder, or it could not score: no scorer, no solution, one among the data.
    """
    if scoring is None:
        _register(project, "add_competition", slug, directory)
        return
    if project.settings.scorer is None and scoring.solution is not None:
        raise UsageError(
            f"competition {slug} can't score: {project.relative(project.pyproject)} names no scorer",
            hint='Set scorer = "module:function" in [tool.coord]: a function(submission, solution, ids) -> float.',
        )
    with _explained(UsageError):
        rules = _module("state").Rules(
            scorer=(scoring.solution and project.settings.scorer) or "",
            project=str(project.root),
            python=sys.executable,
            public_share=scoring.public_share,
            daily_limit=scoring.daily_limit,
            kernels_only=scoring.kernels_only,
            mode=scoring.mode,
            hidden=str(scoring.hidden.resolve()) if scoring.hidden else "",
            gateway=str(scoring.gateway.resolve()) if scoring.gateway else "",
            time_limit=scoring.time_limit,
        )
        store = _module("store").Store(project.local_kaggle)
        solution = None if scoring.solution is None else scoring.solution.resolve()
        store.add_competition(slug, directory.resolve(), solution, rules)


@dataclass(frozen=True)
class HiddenData:
    """What a local competition reruns kernels with."""

    visible: Path
    hidden: Path
    solution: Path | None
    """None: it cannot score."""
    is_served: bool
    """Whether a gateway asks the kernel's inference server."""


def hidden_data(project: Project, competition: str) -> HiddenData | None:
    """The hidden data of a local competition; None if it has none, or is not registered."""
    competitions, sources = _module("state").competitions, _module("state").sources
    with _explained():
        visible = sources.competition(project.local_kaggle, competition)
        rules = competitions.rules_of_reruns(project.local_kaggle, competition)
    if visible is None or rules is None or not rules.reruns:
        return None
    solution = competitions.solution_of(project.local_kaggle, competition)[0] if rules.scorer else None
    return HiddenData(visible, Path(rules.hidden), solution, bool(rules.gateway))


@dataclass(frozen=True)
class Rerun:
    """A submission's kernel that ran again with a local competition's hidden data, as the host sees it."""

    ref: int
    competition: str
    kernel: str
    """owner/slug/version."""
    state: SubmissionState
    error: str | None
    """What the participant is told."""
    detail: str | None
    """What the participant is not told."""
    public: float | None
    private: float | None
    seconds: float | None
    """How long it took; None while it runs, and if its process has died."""
    log: tuple[LogRecord, ...]
    gateway_log: tuple[LogRecord, ...]
    only_visible: tuple[str, ...]
    """Files of the competition's data that the log names, and that the hidden data don't have."""
    limit: float
    """Seconds that it may take."""
    file: Path | None
    """The file that is scored, if it left one."""


def start_rehearsal(project: Project, kernel: KernelRef, competition: str, file_name: str) -> None:
    """Starts a rerun of a complete version with a competition's hidden data that is no submission: see `rehearsal`.

    It takes the place of the kernel's last one. Raises TargetError while that runs, and if a source is gone.
    """
    with _explained():
        named = f"{kernel.owner}/{kernel.slug}/{kernel.version}"
        _module("sessions").start_rehearsal(project.local_kaggle, named, competition, file_name)


def session_seconds(project: Project, kernel: KernelRef) -> float | None:
    """How long the session of a version took; None if it has not ended, or its kernel was deleted."""
    state = _module("state")
    reference = state.Reference(kernel.owner, kernel.slug)
    try:
        found = state.progress.read(state.version_paths(project.local_kaggle, reference, kernel.version))
    except FileNotFoundError:
        return None
    return None if found.started is None or found.ended is None else found.ended - found.started


def end_rehearsal(project: Project, kernel: KernelRef) -> None:
    """Removes a kernel's rehearsal; if it runs, it ends."""
    with _explained():
        _module("sessions").end_rehearsal(project.local_kaggle, f"{kernel.owner}/{kernel.slug}")


def rerun(project: Project, which: str) -> Rerun:
    """A rerun: of the submission with the number `which`, the newest of the competition `which`, or a rehearsal.

    That is the last one of the kernel `which`, owner/slug. Raises UsageError if there is none.
    """
    sessions, root = _module("sessions"), project.local_kaggle
    with _explained():
        if "/" in which:
            report = sessions.rehearsal_report(root, which)
            if report is not None:
                return _rerun(report)
            raise UsageError(f"the kernel {which} was not rehearsed", hint="Rehearse it: coord rehearse --exp NAME")
        number = int(which) if which.isascii() and which.isdecimal() else sessions.newest_rerun(root, which)
        found = None if number is None else sessions.rerun_report(root, number)
    if found is None:
        raise UsageError(
            f"{which!r} is neither a submission that the local Kaggle has run again, nor a competition with one",
            hint="The number: coord scores. Reruns: coord local add-competition SLUG DIR --hidden DIR --code-only.",
        )
    return _rerun(found)


def _rerun(found: Any) -> Rerun:
    entry, result = found.entry, found.result
    return Rerun(
        ref=entry.number,
        competition=entry.competition,
        kernel=entry.kernel,
        state=SubmissionState(result.status.lower()),
        error=result.error,
        detail=result.detail,
        public=result.public,
        private=result.private,
        seconds=found.end.seconds if found.end else None,
        log=tuple(map(_log_record, found.log)),
        gateway_log=tuple(map(_log_record, found.gateway_log)),
        only_visible=tuple(found.only_visible),
        limit=float(found.limit),
        file=found.file,
    )


def _log_record(record: Any) -> LogRecord:
    return LogRecord(stream=record.stream_name, time=record.time, data=record.data)


def isolation_warning(project: Project) -> str | None:
    """A warning if this machine cannot isolate sessions; only once in a project."""
    with _explained():
        warning: str | None = _module("sessions").isolation.first_warning(project.local_kaggle, _settings(project))
    return warning


def is_isolated(project: Project) -> bool:
    """Whether its sessions have namespaces of their own, and no more network than they are given."""
    return bool(_module("sessions").isolation.possible(_settings(project)))


def mount_path(project: Project, kind: str, source: str) -> str:
    """Where a source ("datasets", "competitions", "notebooks" or "models") is mounted, below `input/`."""
    path: str = _module("state").mount_path(project.settings.local.layout, kind, source)
    return path


def model_mount(project: Project, source: str) -> tuple[str, Path | None]:
    """Where a model is mounted, below `input/`, and its folder, if the local Kaggle has it.

    A source without a version means the newest that it has, and version 1 where it has none. Raises TargetError for a
    framework that Kaggle does not have.
    """
    state = _module("state")
    with _explained():
        asked = state.ModelSource.parse(source)
        found = state.models.newest(project.local_kaggle, asked)
        folder: Path | None = state.models.folder(project.local_kaggle, found) if found is not None else None
        version = str(found or (asked if asked.number else f"{asked}/1"))
        return mount_path(project, "models", version), folder


@dataclass(frozen=True)
class DrySession:
    """A session that runs in the foreground, and that no server knows of."""

    script: Path
    root: Path
    """Its folders are made here; what an earlier session left there is removed first."""
    inputs: Mapping[str, Path]
    """Where a source is mounted, below `input/` -> the folder that stands in for it."""
    overrides: str
    """JSON, for the variable COORD_OVERRIDES."""
    internet: bool
    """Whether the session has a network, if it is isolated."""
    machine_shape: str
    """The machine that it would have on Kaggle; "" is one without an accelerator."""
    modules: tuple[str, ...]
    """Those of the inputs in which Python finds modules, too: the competitions'."""


def run_once(project: Project, session: DrySession, on_record: Callable[[LogRecord], None]) -> int:
    """Runs the session, and returns its exit code; `on_record` is called with each record of its log."""

    def pass_on(record: Any) -> None:
        on_record(_log_record(record))

    with _explained():
        if session.root.exists():
            _module("state").remove_tree(session.root)
        sessions, rules = _module("sessions"), _module("state").rules
        shape = rules.given_shape(session.machine_shape, enable_gpu=False, enable_tpu=False) or ""
        options = sessions.SessionOptions(
            session.inputs,
            session.overrides,
            settings=_settings(project),
            internet=session.internet,
            machine_shape=shape,
            modules=session.modules,
        )
        code: int = sessions.run_once(session.script, session.root, pass_on, options)
    return code


def source_folder(project: Project, kind: str, name: str) -> Path | None:
    """The folder of what `kind` (dataset_sources, ...) names, in its newest version; None if it is not there."""
    root, state = project.local_kaggle, _module("state")
    folder: Path | None = None
    with _explained():
        if kind == "competition_sources":
            folder = state.sources.competition(root, name)
        elif kind == "model_sources":
            found = state.models.newest(root, state.ModelSource.parse(name))
            folder = None if found is None else state.models.folder(root, found)
        elif kind == "dataset_sources":
            folder = state.sources.dataset(root, state.DatasetSource.parse(name))
        elif kind == "kernel_sources":
            folder = state.sources.kernel_output(root, state.Reference.parse(name))
    return folder


def _settings(project: Project) -> Any:
    chosen = dataclasses.asdict(project.settings.local)
    return _module("settings").Settings(**chosen | {"secrets": str(project.root / chosen["secrets"])})


def _register(project: Project, function: str, name: str, directory: Path) -> None:
    with _explained(UsageError):
        getattr(_module("store").Store(project.local_kaggle), function)(name, directory.resolve())


@contextlib.contextmanager
def _explained(kind: type[CoordError] = TargetError) -> Iterator[None]:
    """Turns the local Kaggle's own errors into coord's; their messages are fit for the user."""
    expected: type[Exception] = _module("errors").LocalKaggleError
    try:
        yield
    except expected as error:
        raise kind(str(error)) from error
