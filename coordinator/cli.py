"""The commands: parse, call a verb, print. The only module that prints: answers on stdout, progress on stderr.

Verbs are imported inside the commands, so that `coord --help` does not wait for what it does not need.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec, TypeVar, cast

import typer

from coordinator import __version__
from coordinator.errors import CoordError, RunFailed, UsageError, did_you_mean

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from coordinator.ledger import Ledger, Run
    from coordinator.project import Project
    from coordinator.target import LogRecord, Target

P = ParamSpec("P")
R = TypeVar("R")

_INTERRUPTED = 128 + signal.SIGINT
_LOG_TAIL = 20  # lines of a failed run's log that are shown without asking

app = typer.Typer(
    help="Write a model as an ordinary Python package, run it as one Kaggle kernel, get its numbers back.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain help and errors: shorter, and rich's take longer to import than the commands
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
local_app = typer.Typer(help="The local Kaggle: serve it, and register its inputs.", no_args_is_help=True)
app.add_typer(local_app, name="local")

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


def _command(function: Callable[P, R]) -> Callable[P, R]:
    """The one funnel for errors: a line or two on stderr, and the exit code that the error says."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except CoordError as error:
            _complain(error)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            _say("interrupted")
            raise typer.Exit(_INTERRUPTED) from None
        except BrokenPipeError:
            # The reader of our output (say, `head`) has gone. Python would complain about it once more at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(128 + signal.SIGPIPE) from None

    return wrapped


@app.callback(invoke_without_command=True)
def _main(
    version: Annotated[bool, typer.Option("--version", help="Print coord's version.", is_eager=True)] = False,
    project: Annotated[
        Path | None, typer.Option("--project", "-C", help="Work in this folder's project.", metavar="DIR")
    ] = None,
) -> None:
    if version:
        print(f"coord {__version__}")
        raise typer.Exit
    if project is not None:
        try:
            os.chdir(project)
        except OSError as error:
            _complain(UsageError(f"--project {project}: {error.strerror}"))
            raise typer.Exit(2) from None


@app.command()
@_command
def experiments(as_json: Json = False) -> None:
    """List the project's experiments, and what was recorded of them elsewhere."""
    from coordinator import tables
    from coordinator.experiment import experiment_names, resolve

    project = _project()
    found = [resolve(project, name) for name in experiment_names(project)]
    _answer([item.to_json() for item in found] if as_json else None, lambda: tables.experiments(found))


@app.command()
@_command
def show(exp: Exp, sets: Sets = [], as_json: Json = False) -> None:  # noqa: B006  # typer copies it
    """Show an experiment's resolved config, and what differs from its base."""
    from coordinator import tables
    from coordinator.experiment import resolve

    found = resolve(_project(), exp, sets)
    _answer(found.to_json() if as_json else None, lambda: tables.experiment(found))


@app.command()
@_command
def build(exp: Exp, sets: Sets = [], as_json: Json = False) -> None:  # noqa: B006  # typer copies it
    """Make build/NAME/: the kernel's script, its metadata, and a manifest of what went in."""
    from coordinator.push import prepare

    project = _project()
    built = prepare(project, exp, sets)
    if as_json:
        _answer({**built.manifest, "directory": str(built.directory), "metadata": built.metadata.data})
        return
    if built.script.form == "archive":
        _say("as readable text the sources would pass Kaggle's limit: they went in as one compressed archive")
    _say(f"{built.manifest['bytes']:,} bytes from {len(built.manifest['files'])} files, {built.script.digest}")
    print(project.relative(built.directory))


@app.command()
@_command
def push(
    exp: Annotated[
        list[str], typer.Option("--exp", "-e", help="Name of the experiment; repeatable.", metavar="NAME")
    ] = [],  # noqa: B006
    sets: Sets = [],  # noqa: B006  # typer copies it
    target: TargetOption = None,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the run; fail if it fails.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Push although a run of this experiment is active.")] = False,
    as_json: Json = False,
) -> None:
    """Build an experiment and push it as a new version of its kernel; print the URL."""
    from coordinator import push as verb
    from coordinator.experiment import experiment_names
    from coordinator.project import target_name
    from coordinator.targets import open_target

    project = _project()
    if not exp:
        raise UsageError("which experiment? name one with --exp", hint=f"Known: {', '.join(experiment_names(project))}")
    builds = [verb.prepare(project, name, sets) for name in exp]
    name = target_name(project, target)
    with _ledger(project) as ledger, open_target(project, name) as opened:
        pushed = []
        for built in builds:
            run = verb.push(project, opened, ledger, built, force=force, say=_say)
            if not as_json:
                print(run.url, flush=True)
            _say(f"pushed {run.label}")
            pushed.append(run)
        if wait:
            pushed = [_wait(project, opened, ledger, run) for run in pushed]
    if as_json:
        _answer([run.to_json() for run in pushed])
    for run in pushed:
        if wait:
            _check_success(run)


@app.command()
@_command
def status(
    exp: OptionalExp = None,
    target: TargetOption = None,
    watch: Annotated[bool, typer.Option("--watch", help="Keep showing it until every run has ended.")] = False,
    most: Annotated[int, typer.Option("--most", help="Show at most this many runs.", min=1)] = 20,
    as_json: Json = False,
) -> None:
    """Show where every run stands, newest first."""
    from coordinator import tables
    from coordinator.status import status as verb

    project = _project()
    with _ledger(project) as ledger:

        def look() -> Any:
            return verb(project, ledger, ledger.runs(experiment=exp, target=target)[:most])

        now = look()
        if watch and not as_json:
            from rich.live import Live

            with Live(tables.runs(now.runs), console=_console(), auto_refresh=False, transient=True) as live:
                while any(run.state.is_active for run in now.runs) and not now.errors:
                    live.update(tables.runs(now.runs), refresh=True)
                    time.sleep(2.0)
                    now = look()
        if not now.runs and not as_json:
            _say("no runs yet; push one: coord push --exp NAME")
        _answer([run.to_json() for run in now.runs] if as_json else None, lambda: tables.runs(now.runs))
    for error in now.errors:
        _complain(error)
    if now.errors:
        raise typer.Exit(max(error.exit_code for error in now.errors))


@app.command()
@_command
def logs(
    exp: OptionalExp = None,
    target: TargetOption = None,
    version: Version = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run ends.")] = False,
    raw: Annotated[bool, typer.Option("--raw", help="Show the reported events as they stand in the log.")] = False,
    as_json: Json = False,
) -> None:
    """Print a run's log; with --follow live, ending with the run (exit code 1 if it failed)."""
    from coordinator.follow import follow as verb
    from coordinator.refresh import current_log

    project = _project()
    with _ledger(project) as ledger:
        run = _find(ledger, exp, target, version)
        with _target_of(project, run) as opened:
            printer = _LogPrinter(as_json=as_json, raw=raw)
            if not follow:
                for record in current_log(project, opened, ledger, run):
                    printer.record(record)
                printer.end()
                return
            for item in verb(project, opened, ledger, run):
                run = printer.item(item) or run
            printer.end()
    _check_success(run, show_log=False)


@app.command("fetch-results")
@_command
def fetch_results(
    exp: OptionalExp = None,
    all_runs: Annotated[bool, typer.Option("--all", help="Every run that has ended and is not here yet.")] = False,
    target: TargetOption = None,
    version: Version = None,
    force: Annotated[bool, typer.Option("--force", help="Transfer again what is here already.")] = False,
    as_json: Json = False,
) -> None:
    """Bring back a run's log, metrics and files into results/, and show its cross-validation table."""
    from coordinator import fetch as verb
    from coordinator import tables

    project = _project()
    with _ledger(project) as ledger:
        if all_runs:
            runs = [run for run in ledger.runs(experiment=exp, target=target) if run.version and not run.fetched_at]
        else:
            runs = [_find(ledger, exp, target, version)]
        if not runs:
            _say("nothing to fetch: every run that has ended is here")
        fetched, failed = [], []
        for run in runs:
            try:
                with _target_of(project, run) as opened, _transfers() as start:
                    fetched.append(verb.fetch(project, opened, ledger, run, force=force, start=start))
            except RunFailed as error:
                # One run that has not ended must not keep the others from coming in.
                if not all_runs:
                    raise
                failed.append(error)
    if as_json:
        _answer(
            [{**item.run.to_json(), "directory": str(item.directory), "files": list(item.files)} for item in fetched]
        )
    for item in fetched:
        if not as_json:
            if item.run.summary is not None:
                _answer(None, functools.partial(tables.results, item.run.label, item.run.summary))
            print(f"{item.run.label}: {item.run.state}, {len(item.files)} files in {project.relative(item.directory)}/")
        for warning in item.warnings:
            _say(f"warning: {warning}")
    for skipped in failed:
        _say(skipped.what)


@app.command("dry-run")
@_command
def dry_run(exp: Exp, sets: Sets = [], as_json: Json = False) -> None:  # noqa: B006  # typer copies it
    """Run exactly the file that would be pushed, on this machine, on the project's small data."""
    from coordinator import tables
    from coordinator.dry_run import dry_run as verb
    from coordinator.push import prepare

    project = _project()
    printer = _LogPrinter(to_stderr=True)
    done = verb(project, prepare(project, exp, sets), on_record=printer.record)
    printer.end()
    summary = done.summary
    if as_json:
        _answer({"exit_code": done.exit_code, "directory": str(done.directory), "summary": summary})
    elif summary is not None:
        _answer(None, lambda: tables.results(f"{exp} dry run", summary))
    if done.exit_code != 0:
        raise RunFailed(
            f"the dry run of {exp} ended with exit code {done.exit_code}",
            hint=f"What it left is in {project.relative(done.directory)}.",
        )
    if not as_json:
        print(f"dry run of {exp}: complete, output in {project.relative(done.directory)}/")


@local_app.command()
@_command
def serve(port: Annotated[int, typer.Option("--port", help="Port on this machine.", min=0, max=65535)] = 7788) -> None:
    """Answer other clients (the official kaggle command works unmodified) until Ctrl-C."""
    from coordinator import local

    local.serve(_project(), port)


@local_app.command("add-dataset")
@_command
def add_dataset(
    ref: Annotated[str, typer.Argument(help="owner/slug, as dataset_sources name it.")],
    directory: Annotated[Path, typer.Argument(help="The folder that holds it.")],
) -> None:
    """Make a folder known to the local Kaggle as a data set."""
    from coordinator import local

    local.add_dataset(_project(), ref, directory)
    _say(f"{ref} is {directory}")


@local_app.command("add-competition")
@_command
def add_competition(
    slug: Annotated[str, typer.Argument(help="The slug, as competition_sources name it.")],
    directory: Annotated[Path, typer.Argument(help="The folder that holds its data.")],
) -> None:
    """Make a folder known to the local Kaggle as a competition's data."""
    from coordinator import local

    local.add_competition(_project(), slug, directory)
    _say(f"{slug} is {directory}")


def _project() -> Project:
    from coordinator.project import find_project

    return find_project()


def _ledger(project: Project) -> Ledger:
    from coordinator.ledger import Ledger

    return Ledger(project.ledger)


def _find(ledger: Ledger, exp: str | None, target: str | None, version: int | None) -> Run:
    """The run that the options mean: the newest one where they leave it open."""
    from coordinator.errors import RunNotFound

    if exp is None:
        newest = next((run for run in ledger.runs(target=target) if run.version is not None), None)
        if newest is None:
            raise RunNotFound("there are no runs yet", hint="Push one: coord push --exp NAME")
        return newest if version is None else ledger.find(newest.experiment, target=target, version=version)
    try:
        return ledger.find(exp, target=target, version=version)
    except RunNotFound as error:
        near = did_you_mean(exp, {run.experiment for run in ledger.runs()})
        raise RunNotFound(error.what + near, hint=error.hint) from None


def _target_of(project: Project, run: Run) -> contextlib.AbstractContextManager[Target]:
    from coordinator.project import TargetName
    from coordinator.targets import open_target

    return open_target(project, cast(TargetName, run.target))


def _wait(project: Project, target: Target, ledger: Ledger, run: Run) -> Run:
    from coordinator.follow import follow

    printer = _LogPrinter(to_stderr=True)
    try:
        for item in follow(project, target, ledger, run):
            run = printer.item(item) or run
    except KeyboardInterrupt:
        _say(f"stopped watching; {run.label} goes on: coord status")
        raise typer.Exit(_INTERRUPTED) from None
    printer.end()
    return run


def _check_success(run: Run, *, show_log: bool = True) -> None:
    """Raises RunFailed, with the end of its log, unless the run is complete."""
    from coordinator.target import RunState

    if run.state is RunState.COMPLETE:
        return
    message = f": {run.message}" if run.message else ""
    hint = f"coord fetch-results --exp {run.experiment} brings its log and what it had." if show_log else None
    raise RunFailed(f"{run.label} is {run.state}{message}", hint=hint)


class _LogPrinter:
    """Prints a log's whole lines as they come, its events in words."""

    def __init__(self, *, as_json: bool = False, raw: bool = False, to_stderr: bool = False) -> None:
        from coordinator.metrics import Lines

        self._as_json = as_json
        self._raw = raw
        self._out = sys.stderr if to_stderr else sys.stdout
        self._lines = Lines()

    def item(self, item: Run | LogRecord) -> Run | None:
        """Prints a record, or says where the run stands (and returns it)."""
        from coordinator.target import LogRecord

        if isinstance(item, LogRecord):
            self.record(item)
            return None
        _say(f"{item.label} is {item.state}")
        return item

    def record(self, record: LogRecord) -> None:
        if self._as_json:
            print(json.dumps({"stream_name": record.stream, "time": record.time, "data": record.data}), flush=True)
        else:
            self._print(self._lines.feed(record))

    def end(self) -> None:
        self._print(self._lines.end())

    def _print(self, lines: list[str]) -> None:
        from coordinator import metrics

        for line in lines:
            event = None if self._raw else metrics.event(line)
            print(f"» {metrics.describe(event)}" if event else line, file=self._out, flush=True)


@contextlib.contextmanager
def _transfers() -> Iterator[Callable[[str], Callable[[int], None]]]:
    """Progress of downloads on stderr; yields what a verb calls for each file."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    console = _console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:

        def start(name: str) -> Callable[[int], None]:
            task = progress.add_task(name, total=None)
            return lambda count: progress.update(task, advance=count)

        yield start


def _console(*, stderr: bool = False) -> Console:
    from rich.console import Console

    console = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        # Nobody's screen: a file or a pipe gets whole lines.
        console.width = 160
    return console


def _answer(data: Any, renderable: Callable[[], RenderableType] | None = None) -> None:
    """The answer of a command: JSON if there is data, or else something for people."""
    if renderable is None or data is not None:
        print(json.dumps(data, indent=2, ensure_ascii=False))
    else:
        _console().print(renderable())


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _complain(error: CoordError) -> None:
    _say(f"coord: {error.what}")
    if error.hint:
        _say(error.hint)
