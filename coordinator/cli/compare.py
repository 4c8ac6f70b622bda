"""Commands that compare experiments, rank them, list runs, and keep notes and tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from coordinator.cli.commands import App
from coordinator.cli.common import Exp, Json, Markdown, TargetOption, Version, all_names, command, find_run, workspace
from coordinator.cli.naming import run_names
from coordinator.cli.terminal import answer, say, show_csv, show_markdown
from coordinator.errors import RunNotFound, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import RenderableType

    from coordinator.ledger import Kind, Ledger, Run, listing
    from coordinator.workspace import Workspace

app = App()

Csv = Annotated[bool, typer.Option("--csv", help="Print CSV with a header line instead of text for people.")]
Metric = Annotated[
    str | None, typer.Option("--metric", help="Use this metric, not the runs' primary one.", metavar="NAME")
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
        bool, typer.Option("--paired", help="Compare row by row: fail unless the folds are the same.")
    ] = False,
    as_json: Json = False,
    as_csv: Csv = False,
    as_markdown: Markdown = False,
) -> None:
    """Say whether one config is better, or it was luck.

    A name is an experiment, or a single run (NAME@v3, NAME@local-v3, NAME@recorded); each is compared with the first.
    Runs that differ in nothing but the seed are repeats of one config, and their spread decides. With one name, it
    shows how far two runs of that config may differ by luck.
    """
    from coordinator.comparison import compare as verb

    with workspace() as here:
        found = verb.compare_experiments(here, run_names(names), metric=metric, paired=paired)

    def table() -> RenderableType:
        from coordinator.cli.tables import comparison as compare_tables

        return compare_tables.report(found)

    _show(found.to_json(), found.rows, table, as_json=as_json, as_csv=as_csv, as_markdown=as_markdown)


@app.command()
@command
def runs(
    exp: Annotated[
        str | None, typer.Option("--exp", "-e", help="Only of this experiment; * and ? are wildcards.", metavar="NAME")
    ] = None,
    state: Annotated[str | None, typer.Option("--state", help="Only in this state, e.g. complete.")] = None,
    target: TargetOption = None,
    tag: Annotated[list[str], typer.Option("--tag", help="Only with this tag; repeatable.", metavar="TAG")] = [],  # noqa: B006  # typer copies it
    sort: Annotated[
        str | None, typer.Option("--sort", help="Sort by this column, e.g. value; -value is highest first.")
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option("--columns", help="Show these columns, with commas: run,value,optim.lr.", metavar="NAMES"),
    ] = None,
    hidden: Annotated[bool, typer.Option("--hidden", help="List the runs that are hidden, too.")] = False,
    every: Annotated[bool, typer.Option("--all", help="List each run of a sweep, not one line for it.")] = False,
    url: Annotated[bool, typer.Option("--url", help="Show the address of each run, too.")] = False,
    limit: Annotated[int | None, typer.Option("--limit", help="At most this many.", min=1)] = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """List the runs of the ledger, filtered and sorted.

    No target is asked. A sweep is one line, unless runs are selected or sorted, or with --all. With --json or --csv and
    without --columns, all columns are shown, those of the config and of the metrics included.
    """
    from coordinator.ledger import listing as verb
    from coordinator.live_page import listening

    is_folded = not (every or exp or state or tag or sort or columns or as_json or as_csv)
    asked = [name.strip() for name in columns.split(",") if name.strip()] if columns is not None else []
    wanted = asked
    if not wanted and not (as_json or as_csv):
        wanted = list(verb.SHOWN)
    with workspace() as here:
        which = verb.Filter(exp, state, target, tuple(tag), hidden)
        if is_folded:
            found, shown = _with_sweeps(here.ledger, which, limit)
        else:
            added = ["id"] if url and wanted and "id" not in wanted else []
            found = verb.rows(here.ledger, which, sort=sort, columns=[*wanted, *added], limit=limit)
            shown = [here.ledger.get(row["id"]) for row in found] if url else []
            found = [{name: row[name] for name in row if name not in added} for row in found]
        if not found:
            say(verb.why_none(here.ledger, which, all_names(here.project) if exp is not None else ()))
        page = listening(here.project) if url else None

    def table() -> RenderableType:
        from rich.console import Group

        from coordinator.cli.tables import comparison as compare_tables, status

        return Group(compare_tables.runs(found, asked), *(status.addresses(shown, page) if url else ()))

    _show(found, lambda: found, table, as_json=as_json, as_csv=as_csv, columns=wanted or verb.ALWAYS)


def _with_sweeps(ledger: Ledger, which: listing.Filter, limit: int | None) -> tuple[list[dict[str, Any]], list[Run]]:
    """The rows of `coord runs` with one for each sweep, and the runs that they stand for."""
    from coordinator.cli.tables.status import sweep_state
    from coordinator.ledger import listing as verb
    from coordinator.runs import newest_entries

    entries = newest_entries(ledger, limit, which.target, hidden=which.hidden)[:limit]
    rows = verb.rows_of(ledger, [entry.runs[0] for entry in entries])
    for entry, row in zip(entries, rows, strict=True):
        if entry.sweep is not None:
            state, told = sweep_state(entry)
            row |= {"run": f"sweep {entry.sweep.name}", "state": state, "message": told}
            row |= {"primary": None, "value": None, "tags": "", "notes": ""}
    if any(entry.sweep for entry in entries):
        say("a sweep's runs: coord runs --all")
    return [{name: row[name] for name in verb.SHOWN} for row in rows], [run for each in entries for run in each.runs]


@app.command()
@command
def best(
    metric: Metric = None,
    target: TargetOption = None,
    limit: Annotated[int, typer.Option("--limit", help="At most this many.", min=1)] = 10,
    as_json: Json = False,
    as_csv: Csv = False,
    as_markdown: Markdown = False,
) -> None:
    """Rank the configs by their mean over seeds.

    Configs that may be as good as the first are marked; recorded values are included.
    """
    from coordinator.comparison import ranking

    with workspace() as here:
        found, notes = ranking.best(here, metric=metric, target=target)
    found = found[:limit]

    def table() -> RenderableType:
        from coordinator.cli.tables import comparison as compare_tables

        return compare_tables.ranking(found)

    _show(found, lambda: found, table, as_json=as_json, as_csv=as_csv, as_markdown=as_markdown)
    for each in notes:
        say(each)


@app.command()
@command
def note(
    exp: Exp,
    text: Annotated[str | None, typer.Argument(help="The note; without it, the notes are shown.")] = None,
    version: Version = None,
    target: TargetOption = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Add a note to an experiment, or show its notes.

    With --version it is about that run alone.
    """
    from coordinator.ledger import remarks

    with workspace() as here:
        names, run = _noted(here, exp, target, version)
        if text is not None:
            _check_outgoing(here, text)
            for each in names:
                remarks.note(here.ledger, each, text, run=run, copy=here.project.remarks)
        _annotated(here.ledger, names, run, "note", as_json=as_json, as_csv=as_csv)


@app.command()
@command
def tag(
    exp: Exp,
    name: Annotated[
        str | None, typer.Argument(help="The tag, one word; without it, the tags are shown.", metavar="[TAG]")
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the tag.")] = False,
    version: Version = None,
    target: TargetOption = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Tag an experiment, for coord runs --tag; or show its tags.

    With --version the tag is that run's alone.
    """
    from coordinator.ledger import remarks

    if remove and name is None:
        raise UsageError("--remove: which tag?")
    with workspace() as here:
        names, run = _noted(here, exp, target, version)
        if name is not None:
            _check_outgoing(here, name)
            for each in names:
                (remarks.untag if remove else remarks.tag)(here.ledger, each, name, run=run, copy=here.project.remarks)
        _annotated(here.ledger, names, run, "tag", as_json=as_json, as_csv=as_csv)


def _check_outgoing(here: Workspace, remark: str) -> None:
    """Raises BundleError if a note or a tag holds a secret: reports and other tools get it."""
    from coordinator.bundle import Guard

    Guard(here.project.root).check_texts({"the remark": remark}, "the ledger and of reports")


def _noted(here: Workspace, exp: str, target: str | None, version: int | None) -> tuple[list[str], Run | None]:
    """The experiment, or those of its seeds, and the run of that version; None for all of its runs.

    Raises RunNotFound if it is not known.
    """
    from coordinator.names import is_seed_of, near_experiment

    if version is not None or target is not None:
        run = find_run(here.ledger, exp, target, version)
        return [run.experiment], run
    known = here.ledger.experiments() | {*all_names(here.project)}
    names = [exp] if exp in known else sorted(each for each in known if is_seed_of(each, exp))
    if not names:
        raise RunNotFound(f'there is no experiment "{exp}"{near_experiment(exp, known)}', hint="See: coord experiments")
    return names, None


def _annotated(
    ledger: Ledger, names: Sequence[str], run: Run | None, kind: Kind, *, as_json: bool, as_csv: bool
) -> None:
    """Shows the notes or tags of experiments, or of one run together with those of its experiment."""
    from coordinator.ledger import remarks_of

    every = (each for name in names for each in remarks_of(ledger, experiment=name, kind=kind))
    found = [each for each in every if run is None or each.is_of(run)]
    has_runs = any(each.run_id for each in found)
    labels = {each.id: each.label for each in ledger.runs(hidden=True, brief=True)} if has_runs else {}
    rows = [
        {"of": labels.get(each.run_id or "", each.experiment), "text": each.text, "created_at": each.created_at}
        for each in found
    ]

    def table() -> RenderableType:
        from coordinator.cli.tables import comparison as compare_tables

        return compare_tables.listing(rows)

    if not rows:
        say(f"{' and '.join(names)} {'has' if len(names) == 1 else 'have'} no {kind}s")
    _show(rows, lambda: rows, table, as_json=as_json, as_csv=as_csv, columns=("of", "text", "created_at"))


def _show(
    data: Any,
    rows: Callable[[], Sequence[dict[str, Any]]],
    table: Callable[[], RenderableType],
    *,
    as_json: bool,
    as_csv: bool,
    as_markdown: bool = False,
    columns: Sequence[str] = (),
) -> None:
    """`columns` are those of a table without rows."""
    asked = [name for name, is_asked in (("csv", as_csv), ("json", as_json), ("markdown", as_markdown)) if is_asked]
    if len(asked) > 1:
        raise UsageError(f"--{asked[0]} or --{asked[1]}, not both")
    if as_csv:
        show_csv(rows(), columns)
    elif as_markdown:
        show_markdown(table)
    elif data or as_json:
        answer(data if as_json else None, table)
