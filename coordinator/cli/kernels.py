"""Commands that build kernels, and run them on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coordinator.cli.commands import App
from coordinator.cli.common import Exp, Json, Sets, command, this_project
from coordinator.cli.progress import DISPLAY
from coordinator.cli.terminal import LogPrinter, answer, next_step, say, show_text
from coordinator.errors import BundleError, RunFailed, UsageError
from coordinator.text import command_line

if TYPE_CHECKING:
    from coordinator.kernel import Build
    from coordinator.project import Project

app = App()


@app.command()
@command
def build(
    exp: Exp,
    kernel: Annotated[
        Path | None,
        typer.Argument(help="With --check: a kernel's file, or a folder that has one.", metavar="KERNEL"),
    ] = None,
    sets: Sets = [],  # noqa: B006  # typer copies it
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing: is the built kernel, or KERNEL, what would be built now?")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make build/NAME/: script, metadata, manifest.

    With --check it only compares a kernel with the working tree, and names what differs (exit code 1).
    """
    project = this_project()
    if check:
        _check(project, exp, sets, kernel, as_json=as_json)
        return
    if kernel is not None:
        check_it = command_line("coord", "build", "--exp", exp, "--check", str(kernel))
        raise UsageError(f"{kernel}: a kernel is for --check", hint=check_it)
    built = _build(project, exp, sets)
    if as_json:
        answer({**built.manifest, "directory": str(built.directory), "metadata": built.metadata.data})
        return
    if built.script.form == "archive":
        say("as readable text the sources would pass Kaggle's limit: they went in as one compressed archive")
    if built.script.beside:
        say(
            "even compressed the sources would pass Kaggle's limit: they went into the data set "
            f"{built.script.beside.slug}, which coord push sends before the kernel"
        )
    say(f"{built.manifest['bytes']:,} bytes from {len(built.manifest['files'])} files, {built.script.digest}")
    show_text(project.relative(built.directory))


def _build(project: Project, exp: str, sets: list[str]) -> Build:
    from coordinator.kernel import build_kernel
    from coordinator.ledger import find_experiment

    built = build_kernel(project, find_experiment(project, exp, sets), DISPLAY, for_kaggle=_is_for_kaggle(project))
    for message in built.messages:
        say(message)
    return built


def _is_for_kaggle(project: Project) -> bool:
    """Whether the rules of the target hold that a push without --target goes to."""
    from coordinator.project import target_name
    from coordinator.target import abilities_of

    return abilities_of(project, target_name(project, None)).checks_kaggle_rules


def _check(project: Project, exp: str, sets: list[str], kernel: Path | None, *, as_json: bool) -> None:
    from coordinator.cli.tables import runs as tables
    from coordinator.kernel import assemble, check_kernel
    from coordinator.ledger import find_experiment

    experiment = find_experiment(project, exp, sets)
    built = assemble(project, experiment, DISPLAY, for_kaggle=_is_for_kaggle(project))
    found = check_kernel(project, built, kernel)
    if as_json:
        answer(found.to_json())
    elif found.is_same:
        show_text(f"{found.name} is what the working tree gives: {found.kernel.digest}")
    else:
        answer(None, lambda: tables.check(found))
    if not found.is_same:
        raise BundleError(f"{found.name} is not what the working tree gives: {found.summary}", hint=found.hint)


@app.command("dry-run")
@command
def dry_run(exp: Exp, sets: Sets = [], as_json: Json = False) -> None:  # noqa: B006  # typer copies it
    """Run on this machine what would be pushed.

    Exactly the same file, on the project's small data.
    """
    from coordinator.cli.tables import results as results_table
    from coordinator.results import Sources
    from coordinator.runs import dry_run_kernel as verb

    project = this_project()
    built = _build(project, exp, sets)
    sources = Sources(project.root, {file.path: file.sha256 for file in built.files})
    printer = LogPrinter(sources, project.settings.metrics, to_stderr=True)
    done = verb(project, built, given=sets, on_record=printer.record, say=say)
    printer.end()
    summary = done.summary
    if as_json:
        answer(
            {"exit_code": done.exit_code, "directory": str(done.directory), "summary": summary and summary.to_json()}
        )
    elif summary is not None:
        answer(None, lambda: results_table.results(f"{exp} dry run", summary, project.settings.metrics.rows))
    for warning in done.warnings:
        say(f"warning: {warning}")
    if done.exit_code != 0:
        raise RunFailed(
            f"the dry run of {exp} ended with exit code {done.exit_code}",
            hint=f"What it left is in {project.relative(done.directory)}.",
        )
    if as_json:
        return
    if summary is None or summary.primary_value is None:
        say("no metric was found in its output: which one counts? Say it in pyproject.toml, [tool.coord.metrics]")
    show_text(f"dry run of {exp}: complete, output in {project.relative(done.directory)}/")
    next_step("push", exp, *(word for each in sets for word in ("--set", each)))
