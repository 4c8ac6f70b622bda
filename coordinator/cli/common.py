"""What the commands share: options, the funnel for errors, the project and the run that they mean."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, ParamSpec, TypeVar

import click
import typer

from coordinator.cli.terminal import complain, say
from coordinator.errors import CoordError, Later, RunFailed

if TYPE_CHECKING:
    from coordinator.kernel import Build
    from coordinator.ledger import Ledger, Run
    from coordinator.project import Experiment, Project
    from coordinator.target import Target

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
TargetOption = Annotated[
    str | None, typer.Option("--target", "-t", help="kaggle or local; else COORD_TARGET, else the project's setting.")
]
Version = Annotated[int | None, typer.Option("--version", help="Version of the kernel; the newest run's by default.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text for people.")]


# Both answer a misspelt command with a similar one, click from 8.4 on.
Group = functools.partial(typer.Typer, suggest_commands=not hasattr(click.exceptions, "NoSuchCommand"))


def command(function: Callable[P, R]) -> Callable[P, R]:
    """The one funnel for errors: a line or two on stderr, and the exit code that the error says."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except CoordError as error:
            complain(error)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            say("interrupted")
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            # The reader of our output (say, `head`) has gone. Python would complain about it once more at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(128 + signal.SIGPIPE) from None

    return wrapped


def this_project() -> Project:
    from coordinator.project import find_project

    return find_project()


def prepare(project: Project, exp: str, sets: list[str]) -> Build:
    """The experiment's kernel, built; what should be said about it is said."""
    from coordinator.ledger import find_experiment

    return prepared(project, find_experiment(project, exp, sets))


def prepared(project: Project, experiment: Experiment) -> Build:
    """See `prepare`, of an experiment that is resolved already."""
    from coordinator.kernel import build_kernel

    built = build_kernel(project, experiment)
    for note in built.notes:
        say(note)
    for warning in built.warnings:
        say(f"warning: {warning}")
    return built


def warn_of_isolation(project: Project) -> None:
    """Says, once in a project, that the local Kaggle's sessions are not isolated, where they are not."""
    from coordinator.target import local

    if warning := local.isolation_warning(project):
        say(f"note: {warning}")


def open_ledger(project: Project) -> Ledger:
    from coordinator.ledger import Ledger

    return Ledger(project.ledger)


def find_run(ledger: Ledger, exp: str | None, target: str | None, version: int | None) -> Run:
    """The run that the options mean: the newest one where they leave it open."""
    from coordinator.errors import RunNotFound

    if exp is None:
        newest = next((run for run in ledger.runs(target=target) if run.has_kernel), None)
        if newest is None:
            raise RunNotFound("there are no runs yet", hint="Push one: coord push --exp NAME")
        return newest if version is None else ledger.find(newest.experiment, target=target, version=version)
    return ledger.find(exp, target=target, version=version)


def target_of(project: Project, run: Run) -> contextlib.AbstractContextManager[Target]:
    from coordinator.target import open_target

    return open_target(project, run.target)


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
