"""The command about what coord assumes of Kaggle."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from coordinator.cli.commands import App
from coordinator.cli.common import command, known_target, this_project
from coordinator.cli.terminal import ask, say, show_text
from coordinator.errors import TargetError, UsageError

app = App()


@app.command("live-check")
@command
def live_check(
    target: Annotated[
        str | None, typer.Option("--target", "-t", callback=known_target, help="local: ask the local Kaggle instead.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Begin, and delete in the end, without questions.")] = False,
    clean: Annotated[bool, typer.Option("--clean", help="Only delete what earlier checks left.")] = False,
    competition: Annotated[
        str, typer.Option("--competition", help="One whose rules you have accepted.", metavar="SLUG")
    ] = "titanic",
    model: Annotated[
        str, typer.Option("--model", help="One that you may read: owner/model/framework/variation.", metavar="MODEL")
    ] = "",
) -> None:
    """Ask Kaggle itself what coord assumes of it.

    It makes tiny private kernels and a data set; first it says what it will do, and asks. Exit code 1 if a question got
    no answer.
    """
    from coordinator.maintenance import ReadSources, Talk, delete_left, live_check as verb
    from coordinator.target import KAGGLE

    if not yes and not sys.stdin.isatty():
        raise UsageError(
            "this makes things on the target, and there is no terminal for the question", hint="Agree with --yes."
        )

    def agrees(text: str) -> bool:
        if yes:
            say(text)
            return True
        return ask(f"{text} [y/N] ").strip().lower() in ("y", "yes")

    talk = Talk(say, agrees)
    if clean:
        delete_left(this_project(), target or KAGGLE, talk)
        return
    found = verb(this_project(), target or KAGGLE, talk, ReadSources(competition, model))
    if found is None:
        say("nothing was done")
        return
    for fact in found.facts.of("differs"):
        show_text(f"differs: {fact.name}: {fact.seen} (coord assumes: {fact.assumed}; {fact.where})")
    show_text(found.facts.counts())
    show_text(str(found.markdown))
    unknown = found.facts.of("not known")
    if unknown:
        raise TargetError(
            f"{len(unknown)} question{'s' * (len(unknown) != 1)} without an answer", hint="The table has the reasons."
        )
    if found.remains and not found.kept:
        raise TargetError("not all of it could be deleted")
