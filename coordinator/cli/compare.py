"""Commands that compare experiments, rank them, list runs, and keep notes and tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from coordinator.cli.common import Json, command, open_ledger, this_project
from coordinator.cli.terminal import answer, show_text
from coordinator.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import RenderableType

app = typer.Typer()

Csv = Annotated[bool, typer.Option("--csv", help="Print CSV with a header line instead of text for people.")]
Metric = Annotated[
    str | None, typer.Option("--metric", help="Another metric than the runs' primary one.", metavar="NAME")
]


@app.command()
@command
def compare(
    names: Annotated[
        list[str],
        typer.Argument(
            help="Experiments, or single runs (NAME@v3, NAME@local-v3, NAME@recorded); each against the first.",
            metavar="NAME...",
            show_default=False,
        ),
    ],
    metric: Metric = None,
    paired: Annotated[
        bool, typer.Option("--paired", help="Insist on pairs of images: fail unless the folds are the same.")
    ] = False,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Say whether one is better than another, or it was luck.

    Runs that differ in nothing but the seed are repeats of one config, and their spread decides. One name alone shows
    how far luck carries.
    """
    from coordinator import compare as verb

    project = this_project()
    with open_ledger(project) as ledger:
        found = verb.compare(project, ledger, names, metric=metric, paired=paired)

    def table() -> RenderableType:
        from coordinator import compare_tables

        return compare_tables.report(found)

    _show(found.to_json(), found.rows, table, as_json=as_json, as_csv=as_csv)


def _show(
    data: Any,
    rows: Callable[[], Sequence[dict[str, Any]]],
    table: Callable[[], RenderableType],
    *,
    as_json: bool,
    as_csv: bool,
) -> None:
    from coordinator import export

    if as_json and as_csv:
        raise UsageError("--csv or --json, not both")
    if as_csv:
        show_text(export.as_csv(rows()).removesuffix("\n"))
    else:
        answer(data if as_json else None, table)
