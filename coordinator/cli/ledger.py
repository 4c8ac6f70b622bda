"""Commands for the ledger itself."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coordinator.cli.common import Group, Json, TargetOption, command, open_ledger, this_project
from coordinator.cli.terminal import answer, say, show_text
from coordinator.errors import CoordError, UsageError
from coordinator.files import write_atomically
from coordinator.workspace import Workspace

if TYPE_CHECKING:
    from coordinator.ledger import Ledger
    from coordinator.maintenance import NotAsked, Problem
    from coordinator.project import Project
    from coordinator.target import Target

app = Group(help="The record of every run: check it, repair it, export it.", no_args_is_help=True)


@app.command()
@command
def check(
    target: TargetOption = None,
    repair: Annotated[bool, typer.Option("--repair", help="Repair and rebuild what can be.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no target.")] = False,
    as_json: Json = False,
) -> None:
    """Compare the ledger with results/ and the targets.

    Nothing is changed without --repair. Exit code 1 if there are problems left. A target that gives no answer is left
    out, with a word; if --target names it, that is an error.
    """
    from coordinator.maintenance import checks as verb

    project = this_project()
    not_asked: list[NotAsked] = []
    left: list[Problem] = []
    repaired: list[Problem] = []

    def found(problem: Problem) -> None:
        advice = problem.remedy
        if repair and problem.repair is not None:
            problem.repair()
            repaired.append(problem)
        else:
            left.append(problem)
            advice = f"--repair would {advice}" if problem.repair is not None else advice
        if not as_json:
            show_text(f"{'problem' if problem in left else 'repaired'}: {problem.what}\n    {advice}")

    damaged = verb.check_file(project.ledger)
    if damaged is not None:
        found(damaged)
    count = None
    if damaged is None or repair:
        with open_ledger(project) as ledger, contextlib.ExitStack() as stack:
            opened = [] if offline else _targets(project, ledger, target, stack, not_asked)
            for each in verb.check(Workspace(project, ledger), opened):
                if isinstance(each, verb.Problem):
                    found(each)
                else:
                    not_asked.append(each)
            count = len(ledger.readable())
    if as_json:
        answer(
            {
                "runs": count,
                "problems": [problem.to_json() for problem in left],
                "repaired": [problem.to_json() for problem in repaired],
                "not_asked": [each.to_json() for each in not_asked],
            }
        )
    for missed in not_asked:
        say(f"left out: {missed.what}\n    {missed.hint}")
    runs = "the runs cannot be counted" if count is None else f"{count} run{'s' * (count != 1)}"
    say(f"{runs}, {len(repaired)} problem{'s' * (len(repaired) != 1)} repaired, {len(left)} left")
    if left or (not_asked and target is not None):
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
    with open_ledger(this_project()) as ledger:
        table = verb.with_all(ledger)
    text = verb.as_json(table) if as_json else verb.as_csv(table)
    if output is None:
        show_text(text.removesuffix("\n"))
        return
    try:
        write_atomically(output, text)
    except OSError as error:
        raise UsageError(f"--output {output}: {error.strerror}") from error
    say(f"{len(table)} runs in {output}")


def _targets(
    project: Project, ledger: Ledger, option: str | None, stack: contextlib.ExitStack, not_asked: list[NotAsked]
) -> list[Target]:
    """Those that have runs, and the one that is set, but for those that cannot be opened."""
    from coordinator.maintenance import NotAsked
    from coordinator.project import target_name
    from coordinator.target import open_target

    names = {target_name(project, option)}
    if option is None:
        names |= {target_name(project, run.target) for run in ledger.readable()}
    opened = []
    for name in sorted(names):
        if name == "local" and not project.local_kaggle.is_dir():
            continue  # nothing was ever pushed there
        try:
            opened.append(stack.enter_context(open_target(project, name)))
        except CoordError as error:
            hint = error.hint or "Without it: --offline"
            not_asked.append(NotAsked(f"{name} could not be asked: {error.what}", hint))
    return opened
