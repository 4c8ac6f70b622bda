"""Commands that submit to a competition and show the scores."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated

import typer

from coordinator.cli.commands import App
from coordinator.cli.common import (
    Exp,
    Json,
    OptionalExp,
    TargetOption,
    Version,
    command,
    find_run,
    known_target,
    workspace,
)
from coordinator.cli.terminal import answer, complain, say, show_csv, show_text
from coordinator.errors import UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from coordinator.ledger import Submission

app = App()


@app.command()
@command
def submit(
    exp: Exp,
    version: Version = None,
    target: TargetOption = None,
    message: Annotated[
        str, typer.Option("--message", "-m", help="The description; by default the run and its CV.", metavar="TEXT")
    ] = "",
    file: Annotated[str, typer.Option("--file", help="Which of the run's files.", metavar="NAME")] = "submission.csv",
    competition: Annotated[
        str | None,
        typer.Option("--competition", help="The competition's slug; by default the attached one.", metavar="SLUG"),
    ] = None,
    upload: Annotated[
        bool, typer.Option("--upload", help="Upload the file: for competitions that take files, not kernels.")
    ] = False,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            callback=known_target,
            help="Where to: kaggle or local; by default the run's own target, or kaggle for a cluster's run.",
            metavar="TARGET",
        ),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the score; fail if there is none.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Submit although the file was submitted before, or is outdated.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Submit a run's file to its competition.

    The file is fetched and compared with the sample submission first. Exit code 75 if no submission is left today.
    """
    from coordinator.submissions import SubmitOptions, open_place, scores as verb, submit_run as send

    with workspace() as here:
        run = find_run(here.ledger, exp, target, version)
        with (
            open_place(here, run, to, is_upload=upload) as place,
            contextlib.nullcontext(place) if place.target.name == run.target else here.open_target(run.target) as there,
        ):
            found = send(there, run, SubmitOptions(competition, file, message, is_upload=upload, force=force), place)
            say(f"submission {found.ref} to {found.competition} is {found.state}")
            if wait:
                try:
                    found = verb.wait(place, found)
                except KeyboardInterrupt:
                    raise KeyboardInterrupt("stopped waiting; its score comes all the same: coord scores") from None
        (score,) = verb.all_scores(here.ledger, [found])
    if as_json:
        answer(score.to_json())
    else:
        show_text(_line(score.label, found))
    verb.check(score)


def _line(label: str, found: Submission) -> str:
    scores = {"public": found.public, "private": found.private}
    figures = ", ".join(f"{name} {value:g}" for name, value in scores.items() if value is not None)
    return f"{label}, submission {found.ref} to {found.competition}: {figures or found.state}"


@app.command()
@command
def scores(
    exp: OptionalExp = None,
    target: TargetOption = None,
    competition: Annotated[
        str | None, typer.Option("--competition", help="Only submissions to this one.", metavar="SLUG")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a table with a header line.")] = False,
    as_json: Json = False,
) -> None:
    """Show public and private scores beside CV.

    And whether CV and scores rank the runs alike, as rank correlations: 1 means that the better CV always has the
    better score. The competitions are asked for new scores first. Scores that experiments' files record
    (leaderboard/public, leaderboard/private) are included, marked.
    """
    from coordinator.submissions import scores as verb, scores_overview

    if as_csv and as_json:
        raise UsageError("--csv or --json, not both")
    with workspace() as here:
        found = scores_overview(here, experiment=exp, target=target, competition=competition)

    def table() -> RenderableType:
        from rich.console import Group

        from coordinator.cli.tables import scores as score_tables

        parts = [score_tables.scores(found.scores, found.agreements)] if found.scores else []
        return Group(
            *parts, *([score_tables.recorded(found.recorded, found.recorded_agreements)] if found.recorded else [])
        )

    if as_csv:
        show_csv(found.rows(), verb.COLUMNS)
    else:
        if not found.scores and not as_json:
            say("nothing was submitted yet: coord submit --exp NAME")
        answer(found.to_json() if as_json else None, table)
    for each in found.errors:
        complain(each)
    if found.errors:
        raise typer.Exit(max(each.exit_code for each in found.errors))
