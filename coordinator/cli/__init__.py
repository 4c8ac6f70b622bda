"""The commands: parse, call a verb, print.

Verbs are imported inside the commands, so that `coord --help` does not wait for what it does not need.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from coordinator import __version__
from coordinator.cli import (
    account,
    bundle,
    compare,
    completion,
    continuing as onward,
    data,
    experiments,
    fetch,
    handover,
    help as explaining,
    hiding,
    image,
    init,
    kernels,
    ledger,
    live_check,
    local,
    rehearse,
    report,
    runs,
    submit,
    sweep,
    ui,
    wheels,
)
from coordinator.cli.commands import App
from coordinator.cli.terminal import complain, show_log, show_text
from coordinator.errors import UsageError

app = App(
    help="Write a model as an ordinary Python package, run it as one Kaggle kernel, get its numbers back.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for group in (
    experiments,
    kernels,
    bundle,
    runs,
    fetch,
    compare,
    account,
    handover,
    hiding,
    init,
    onward,
    rehearse,
    submit,
    report,
    ui,
    wheels,
    live_check,
    explaining,
):
    app.add_typer(group.app)
app.add_typer(completion.app, name="completion")
app.add_typer(data.app, name="data")
app.add_typer(image.app, name="image")
app.add_typer(ledger.app, name="ledger")
app.add_typer(local.app, name="local")
app.add_typer(sweep.app, name="sweep")


@app.callback(invoke_without_command=True)
def _main(
    version: Annotated[bool, typer.Option("--version", help="Print coord's version.", is_eager=True)] = False,
    project: Annotated[
        Path | None, typer.Option("--project", "-C", help="Work in this folder's project.", metavar="DIR")
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show each request to a target, without its content.")
    ] = False,
) -> None:
    if version:
        show_text(f"coord {__version__}")
        raise typer.Exit
    show_log(verbose=verbose)
    if project is not None:
        try:
            os.chdir(project)
        except OSError as error:
            complain(UsageError(f"--project {project}: {error.strerror}"))
            raise typer.Exit(2) from None
