"""Commands that make kernels, and try them here."""

from __future__ import annotations

import typer

from coordinator.cli.common import Exp, Json, Sets, command, prepare, this_project
from coordinator.cli.terminal import LogPrinter, answer, say, show_text
from coordinator.errors import RunFailed

app = typer.Typer()


@app.command()
@command
def build(exp: Exp, sets: Sets = [], as_json: Json = False) -> None:  # noqa: B006  # typer copies it
    """Make build/NAME/: script, metadata, manifest."""
    project = this_project()
    built = prepare(project, exp, sets)
    if as_json:
        answer({**built.manifest, "directory": str(built.directory), "metadata": built.metadata.data})
        return
    if built.script.form == "archive":
        say("as readable text the sources would pass Kaggle's limit: they went in as one compressed archive")
    say(f"{built.manifest['bytes']:,} bytes from {len(built.manifest['files'])} files, {built.script.digest}")
    show_text(project.relative(built.directory))


@app.command("dry-run")
@command
def dry_run(exp: Exp, sets: Sets = [], as_json: Json = False) -> None:  # noqa: B006  # typer copies it
    """Run on this machine what would be pushed.

    Exactly the same file, on the project's small data.
    """
    from coordinator import tables
    from coordinator.dry_run import dry_run as verb

    project = this_project()
    printer = LogPrinter(to_stderr=True)
    done = verb(project, prepare(project, exp, sets), on_record=printer.record)
    printer.end()
    summary = done.summary
    if as_json:
        answer({"exit_code": done.exit_code, "directory": str(done.directory), "summary": summary})
    elif summary is not None:
        answer(None, lambda: tables.results(f"{exp} dry run", summary))
    if done.exit_code != 0:
        raise RunFailed(
            f"the dry run of {exp} ended with exit code {done.exit_code}",
            hint=f"What it left is in {project.relative(done.directory)}.",
        )
    if not as_json:
        show_text(f"dry run of {exp}: complete, output in {project.relative(done.directory)}/")
