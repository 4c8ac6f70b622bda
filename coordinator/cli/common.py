"""What the commands share: options, the handling of errors, and the workspace and the run that they are about."""

from __future__ import annotations

import contextlib
import functools
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, ParamSpec, TypeVar

import typer

from coordinator.cli.naming import takes_bare_name
from coordinator.cli.progress import DISPLAY
from coordinator.cli.stdio import STDOUT, give_up
from coordinator.cli.terminal import complain, say
from coordinator.errors import CoordError, Later, RunFailed
from coordinator.system import READER_GONE

if TYPE_CHECKING:
    from coordinator.ledger import Ledger, Run
    from coordinator.project import Project
    from coordinator.workspace import Workspace

P = ParamSpec("P")
R = TypeVar("R")

INTERRUPTED = 128 + signal.SIGINT

Exp = Annotated[str, typer.Option("--exp", "-e", help="Name of the experiment.", metavar="NAME")]
OptionalExp = Annotated[str | None, typer.Option("--exp", "-e", help="Name of the experiment.", metavar="NAME")]
Sets = Annotated[
    list[str],
    typer.Option(
        "--set", help="Override one value of the config, e.g. optim.lr=0.0005; repeatable.", metavar="PATH=VALUE"
    ),
]


def known_target(name: str | None) -> str | None:
    """Checked for all commands in one place: those that only read the ledger would find no run on an unknown target."""
    if name is not None:
        from coordinator.errors import ProjectError
        from coordinator.project import Settings, find_project, parse_target

        project = None
        try:
            project = find_project()
        except ProjectError:  # the command says so, or needs none
            pass
        try:
            parse_target(name, project.settings if project else Settings())
        except ValueError as error:
            # Its table may be gone while its runs are there: who needs the target itself is told so later.
            if project is None or not _has_runs(project, name):
                raise typer.BadParameter(str(error)) from error
    return name


def _has_runs(project: Project, target: str) -> bool:
    """Whether the ledger has runs on a target of that name."""
    from coordinator.ledger import Ledger

    if not project.ledger.exists():
        return False
    try:
        with Ledger(project.ledger) as ledger:
            return bool(ledger.runs(target=target, hidden=True))
    except CoordError:  # the command says it
        return False


TargetOption = Annotated[
    str | None,
    typer.Option(
        "--target",
        "-t",
        callback=known_target,
        help="kaggle, local, or one of [tool.coord.targets]; else COORD_TARGET, else the setting.",
    ),
]
Version = Annotated[int | None, typer.Option("--version", help="Version of the kernel; the newest run's by default.")]
Wait = Annotated[bool, typer.Option("--wait", help="Follow the run; fail if it fails.")]
WaitForSlot = Annotated[
    bool, typer.Option("--wait-for-slot", help="At the session limit, wait until a session has ended.")
]
WaitForNeeds = Annotated[bool, typer.Option("--wait-for-needs", help="Wait until the runs that it needs have ended.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text for people.")]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print Markdown, for a comment on GitHub.")]


def command(function: Callable[P, R]) -> Callable[P, R]:
    """Shows every expected error as a line or two on stderr, and ends with the error's exit code.

    A verb that knows what Ctrl-C interrupts raises KeyboardInterrupt with a text for the user.
    """

    named = takes_bare_name(function)

    @functools.wraps(named)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        with ended():
            return named(*args, **kwargs)

    if named is not function:
        wrapped.__signature__ = named.__signature__  # type: ignore[attr-defined]
    return wrapped


@contextlib.contextmanager
def ended() -> Iterator[None]:
    """Shows an expected error, and ends the program with its exit code."""
    try:
        yield
    except CoordError as error:
        complain(error)
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt as interrupt:
        say(str(interrupt) or "interrupted")
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:  # the reader of our output (say, `head`) has ended
        give_up(sys.stdout)
        raise typer.Exit(READER_GONE) from None
    except (OSError, UnicodeEncodeError) as error:
        from coordinator.files import explained

        if isinstance(error, OSError) and error.filename == STDOUT:
            give_up(sys.stdout)
        complain(explained(error))
        raise typer.Exit(1) from None


def this_project() -> Project:
    from coordinator.project import find_project

    return find_project()


@contextlib.contextmanager
def workspace() -> Iterator[Workspace]:
    """The project of this folder and its open ledger, without a target; verbs send their messages to stderr."""
    from coordinator.ledger import Ledger
    from coordinator.workspace import Workspace

    project = this_project()
    with Ledger(project.ledger) as ledger:
        yield Workspace(project, ledger, say=say, progress=DISPLAY)


def all_names(project: Project) -> list[str]:
    """The names of the project's experiments; none if their folder is missing, where that is not what is asked."""
    from coordinator.project import experiment_names

    return experiment_names(project) if project.experiments.is_dir() else []


def find_run(ledger: Ledger, exp: str | None, target: str | None, version: int | None) -> Run:
    """The run that the options name: the newest one that fits, of all seeds if they have names of their own.

    Raises RunNotFound.
    """
    from coordinator.errors import RunNotFound
    from coordinator.ledger import RunName, find_named, meant

    if exp is None:
        newest = next((run for run in ledger.runs(target=target) if run.has_kernel), None)
        if newest is None:
            raise RunNotFound("there are no runs yet", hint="Push one: coord push NAME")
        if version is None:
            return newest
        exp = newest.experiment
    name = RunName(exp).with_options(target, version)
    try:
        return find_named(ledger, name)
    except RunNotFound:
        newest = next(iter(meant(ledger.runs(target=name.target), name)), None)
        if newest is None:
            raise
    say(f"{exp} ran once a seed: this is its newest run, {newest.label}")
    return newest


def worst(errors: Iterable[CoordError]) -> int:
    """The exit code of several errors: "later" only if nothing worse has happened."""
    codes = {error.exit_code for error in errors}
    return min(codes - {Later.exit_code}, default=Later.exit_code)


def check_success(run: Run, *, show_log: bool = True) -> None:
    """Raises RunFailed, with the end of its log, unless the run is complete."""
    from coordinator.target import RunState

    if run.state is RunState.COMPLETE:
        return
    message = f": {run.message}" if run.message else ""
    hint = f"coord fetch-results --exp {run.experiment} brings its log and what it had." if show_log else None
    raise RunFailed(f"{run.label} {run.state.phrase}{message}", hint=hint)
