"""Commands for the ledger itself."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coordinator.cli.commands import App
from coordinator.cli.common import Json, TargetOption, command, this_project, workspace
from coordinator.cli.progress import DISPLAY
from coordinator.cli.terminal import answer, say, show_text
from coordinator.disk import hint as full_hint
from coordinator.errors import UsageError

if TYPE_CHECKING:
    from coordinator.maintenance import Problem

app = App(help="The record of every run: check it, repair it, export it.", no_args_is_help=True)


@app.command()
@command
def check(
    target: TargetOption = None,
    repair: Annotated[bool, typer.Option("--repair", help="Repair what can be repaired.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no target.")] = False,
    as_json: Json = False,
) -> None:
    """Compare the ledger with results/ and the targets.

    Nothing is changed without --repair. Exit code 1 if there are problems left. A target that gives no answer is left
    out, with a message; if --target names it, that is an error.
    """
    from coordinator.maintenance import check_ledger

    def show(problem: Problem, is_repaired: bool) -> None:
        advice = problem.remedy
        if problem.repair is not None and not is_repaired:
            advice = f"--repair would {advice}"
        if not as_json:
            show_text(f"{'repaired' if is_repaired else 'problem'}: {problem.what}\n    {advice}")

    found = check_ledger(this_project(), target, repair=repair, offline=offline, show=show, progress=DISPLAY)
    if as_json:
        answer(found.to_json())
    for missed in found.not_asked:
        say(f"left out: {missed.what}\n{textwrap.indent(missed.hint, '    ')}")
    runs = "the runs cannot be counted" if found.runs is None else f"{found.runs} run{'s' * (found.runs != 1)}"
    repaired = len(found.repaired)
    say(f"{runs}, {repaired} problem{'s' * (repaired != 1)} repaired, {len(found.left)} left")
    if found.left or (found.not_asked and target is not None):
        raise typer.Exit(1)


@app.command()
@command
def export(
    as_csv: Annotated[bool, typer.Option("--csv", help="A table with a header line (the default).")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="A list of objects.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write into this file instead.", metavar="FILE")
    ] = None,
) -> None:
    """Print all runs, one a row.

    State, times, metrics, config, sweeps, tags, notes.
    """
    from coordinator.ledger import export as verb

    if as_csv and as_json:
        raise UsageError("--csv or --json, not both")
    with workspace() as here:
        table = verb.with_all(here.ledger)
    text = verb.as_json(table) if as_json else verb.as_csv(table)
    if output is None:
        show_text(text.removesuffix("\n"))
        return
    try:
        from coordinator.files import write_atomically

        write_atomically(output, text)
    except OSError as error:
        raise UsageError(f"--output {output}: {error.strerror}", hint=full_hint(error, output)) from error
    say(f"{len(table)} runs in {output}")
