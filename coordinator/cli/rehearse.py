"""The command that tries a code competition's second half on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from coordinator.cli.commands import App
from coordinator.cli.common import Exp, Json, Sets, command, workspace
from coordinator.cli.terminal import answer, say, show_text

if TYPE_CHECKING:
    from coordinator.rehearsal import Rehearsal

app = App()


@app.command()
@command
def rehearse(
    exp: Exp,
    sets: Sets = [],  # noqa: B006  # typer copies it
    competition: Annotated[
        str | None,
        typer.Option("--competition", help="The competition's slug; by default the attached one.", metavar="SLUG"),
    ] = None,
    file: Annotated[str, typer.Option("--file", help="The submission's file.", metavar="NAME")] = "submission.csv",
    with_needs: Annotated[
        bool, typer.Option("--with-needs", help="First run what it needs, unless that is done, and wait for it.")
    ] = False,
    rows: Annotated[
        int | None,
        typer.Option("--rows", help="Rows of Kaggle's hidden data: would they take too long?", metavar="N", min=1),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run here and again on hidden data; say what would fail.

    For code competitions that the local Kaggle knows with hidden data: coord local add-competition --hidden. The run is
    in the ledger like any other and is not repeated; the rerun is no submission. Exit code 1 if something would fail.
    """
    from coordinator.rehearsal import RehearsalOptions, rehearse as verb
    from coordinator.target import LOCAL

    options = RehearsalOptions(competition, file, tuple(sets), with_needs=with_needs, rows=rows)
    with workspace() as here, here.open_target(LOCAL) as there:
        found = verb(there, exp, options)
    if as_json:
        answer(found.to_json())
    else:
        for line in _lines(found):
            show_text(line)
    if found.fails:
        log = f"local rerun-log {found.run.ref.address}" if found.rerun else f"logs --exp {exp} --target local"
        say(f"The log: coord {log}")
        raise typer.Exit(1)


def _lines(found: Rehearsal) -> Iterator[str]:
    """The sessions, one a line; the findings and notes; and the verdict."""
    from coordinator.rehearsal import duration

    yield f"visible  {found.visible.summary(failed=found.rerun is None and found.fails)}"
    if found.rerun is not None:
        rerun = found.rerun.session.summary(failed=bool(found.rerun.failure))
        yield f"hidden   {rerun}, of {duration(found.rerun.limit)}"
    if found.rows is not None and found.rerun is not None:
        seconds = found.expected_seconds
        about = "not known: the hidden rows took no longer" if seconds is None else f"about {duration(seconds)}"
        yield f"expected {found.rows} rows: {about}"
    for each in found.findings:
        yield f"{'FAILS' if each.fails else 'warning':8} {each}"
    for note in found.notes:
        yield f"note     {note}"
    scores = {"public": found.public, "private": found.private}
    figures = ", ".join(f"{name} {value:g}" for name, value in scores.items() if value is not None)
    verdict = "would fail" if found.fails else "passes"
    yield f"{found.run.label} {verdict} in {found.competition}" + (f": {figures}" if figures else "")
