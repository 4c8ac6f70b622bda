"""Commands that submit to a competition and show the scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

import typer

from coordinator.cli.common import (
    INTERRUPTED,
    Exp,
    Json,
    OptionalExp,
    TargetOption,
    Version,
    command,
    find_run,
    open_ledger,
    target_of,
    this_project,
)
from coordinator.cli.terminal import answer, complain, say, show_csv, show_text
from coordinator.errors import CoordError, UsageError
from coordinator.workspace import Workspace

if TYPE_CHECKING:
    from rich.console import RenderableType

    from coordinator.ledger import Submission

app = typer.Typer()


@app.command()
@command
def submit(
    exp: Exp,
    version: Version = None,
    target: TargetOption = None,
    message: Annotated[
        str, typer.Option("--message", "-m", help="Its description; the run and its CV by default.", metavar="TEXT")
    ] = "",
    file: Annotated[str, typer.Option("--file", help="Which of the run's files.", metavar="NAME")] = "submission.csv",
    competition: Annotated[
        str | None, typer.Option("--competition", help="Its slug; the one attached by default.", metavar="SLUG")
    ] = None,
    upload: Annotated[
        bool, typer.Option("--upload", help="Send the file: for competitions that take files, not kernels.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the score; fail if there is none.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Although the same file was submitted before.")] = False,
    as_json: Json = False,
) -> None:
    """Submit a run's file to its competition.

    The file is fetched, and held against the sample submission first. Exit code 75 if the day's submissions are spent.
    """
    from coordinator.submissions import scores as verb, submit_run as send

    project = this_project()
    with open_ledger(project) as ledger:
        run = find_run(ledger, exp, target, version)
        with target_of(project, run) as opened:
            found = send(
                Workspace(project, ledger, opened, say=say),
                run,
                competition=competition,
                file_name=file,
                message=message,
                is_upload=upload,
                force=force,
            )
            say(f"submission {found.ref} to {found.competition} is {found.state}")
            if wait:
                try:
                    found = verb.wait(opened.competitions, ledger, found)
                except KeyboardInterrupt:
                    say("stopped waiting; its score comes all the same: coord scores")
                    raise typer.Exit(INTERRUPTED) from None
        (score,) = verb.all_scores(ledger, [found])
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

    And whether they rank alike. The competitions are asked for news first. Rank correlations are of runs, 1 is: the
    better by CV, the better by score. Scores that experiments' files record (leaderboard/public, leaderboard/private)
    join in, marked.
    """
    import dataclasses

    from coordinator.ledger import submissions
    from coordinator.project import TargetName, target_name
    from coordinator.submissions import recorded_agreements, recorded_scores, scores as verb
    from coordinator.target import open_target

    if as_csv and as_json:
        raise UsageError("--csv or --json, not both")
    project = this_project()
    errors: list[CoordError] = []
    with open_ledger(project) as ledger:
        recorded = recorded_scores(project, exp) if target is None and competition is None else []
        if exp is not None and not recorded:
            find_run(ledger, exp, target, None)  # says so if there is no such experiment
        asked = verb.places(submissions.all_submissions(ledger, target=target, competition=competition))
        if competition is not None and not asked:
            asked = [(target_name(project, target), competition)]
        for name, slug in asked:
            try:
                with open_target(project, cast(TargetName, name)) as opened:
                    verb.refresh(opened.competitions, ledger, name, slug)
            except CoordError as error:
                errors.append(error)
        every = verb.all_scores(ledger, submissions.all_submissions(ledger, target=target, competition=competition))
    found = [score for score in every if exp is None or (score.run and score.run.experiment == exp)]
    agreements, of_recorded = verb.agreements(project, found), recorded_agreements(recorded)

    def table() -> RenderableType:
        from rich.console import Group

        from coordinator.cli.tables import scores as score_tables

        parts = [score_tables.scores(found, agreements)] if found else []
        return Group(*parts, *([score_tables.recorded(recorded, of_recorded)] if recorded else []))

    if as_csv:
        show_csv(verb.rows(found, recorded), verb.COLUMNS)
    else:
        if not found and not as_json:
            say("nothing was submitted yet: coord submit --exp NAME")
        data = {
            "submissions": [score.to_json() for score in found],
            "recorded": [score.to_json() for score in recorded],
            "agreements": [dataclasses.asdict(agreement) for agreement in (*agreements, *of_recorded)],
        }
        answer(data if as_json else None, table)
    for each in errors:
        complain(each)
    if errors:
        raise typer.Exit(max(each.exit_code for each in errors))
