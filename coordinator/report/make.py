"""The verb report: from the ledger to the page's text."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from coordinator import __version__
from coordinator.comparison import Candidate, all_candidates, find_candidate
from coordinator.errors import ExperimentError, RunNotFound, UsageError
from coordinator.ledger import MERGED, Submission, all_submissions, now, said
from coordinator.project import Project, Recorded, experiment_names, resolve
from coordinator.report.boards import Board, Entry, boards
from coordinator.report.choice import choose, hidden, matches, parts_of
from coordinator.report.material import Score, gather
from coordinator.report.page import render
from coordinator.report.views import settings
from coordinator.submissions import scores
from coordinator.workspace import Workspace


@dataclasses.dataclass(frozen=True)
class Made:
    """A page."""

    text: str
    runs: tuple[str, ...]
    """Ids of the runs that it shows, the best first."""
    configs: int
    """How many lines its leaderboards have."""
    warnings: tuple[str, ...]


def make_report(
    workspace: Workspace,
    *,
    names: Sequence[str] = (),
    target: str | None = None,
    every: bool = False,
    baseline: str | None = None,
    pictures: int = 6,
    title: str = "Experiments",
) -> Made:
    """The page about runs of these experiments (`choice.choose` says which), or of all of them.

    Configs are compared with `baseline` (`candidates.find` says what it may be), or with the best. Raises RunNotFound,
    UsageError.
    """
    files = experiment_names(workspace.project)
    runs = workspace.ledger.runs(target=target)
    candidates = all_candidates(workspace)
    compared = find_candidate(workspace, baseline) if baseline is not None else None
    chosen = choose(runs, candidates, names, files, every=every)
    if compared is not None:
        wanted = {run.id for run in (*chosen, *compared.runs)}
        chosen = [run for run in runs if run.id in wanted]
    recorded, warnings = _recorded(workspace.project, [name for name in files if matches(name, names)])
    if not chosen and not any(recorded.values()):
        of = f" of {', '.join(names)}" if names else ""
        on = f" on {target}" if target is not None else ""
        raise RunNotFound(f"there are no runs{of}{on} to report", hint="Push one: coord push --exp NAME")
    parts = parts_of(runs)
    # Folds that were merged stay parts of their experiment when a newer run of it is the one that is shown.
    wholes = {(run.experiment, run.target) for run in chosen}
    merged = [run for run in runs if run.version == MERGED and (run.experiment, run.target) in wholes]
    older = hidden([run for run in merged if run not in chosen], parts)
    chosen = [run for run in chosen if run.id not in older]
    ids = {run.id for run in chosen}
    ranked = boards(
        workspace.project,
        _only(candidates, ids),
        candidates,
        hidden=hidden(chosen, parts),
        baseline={run.id for run in compared.runs} if compared is not None else (),
        name=baseline,
    )
    if compared is not None and not any(run in entry.runs for run in compared.runs for entry in _entries(ranked)):
        raise UsageError(
            f"--baseline {baseline} has no line on this page",
            hint="It takes a complete run, of the target that --target names, if it is given.",
        )
    sent = [each for each in all_submissions(workspace.ledger) if each.run_id in ids]
    ordered = {run.id: run for run in [*(run for entry in _entries(ranked) for run in entry.runs), *chosen]}
    items = gather(
        workspace.project,
        ordered.values(),
        _scores(sent),
        pictures=pictures,
        parts=parts,
        remarks=said(workspace.ledger),
    )
    text = render(
        ranked,
        items,
        recorded,
        settings(workspace.project, ranked, items),
        title=title,
        made_at=now(),
        version=__version__,
        agreements=_agreements(workspace, sent),
    )
    return Made(text, tuple(ordered), len(_entries(ranked)), tuple(warnings))


def _only(candidates: Sequence[Candidate], ids: set[str]) -> list[Candidate]:
    found = [dataclasses.replace(each, runs=tuple(run for run in each.runs if run.id in ids)) for each in candidates]
    return [each for each in found if each.runs]


def _entries(ranked: Sequence[Board]) -> list[Entry]:
    return [entry for board in ranked for entry in board.entries]


def _scores(sent: Iterable[Submission]) -> dict[str, Score]:
    """By run id, of submissions, the newest first."""
    found: dict[str, Score] = {}
    for each in sent:
        if each.public is not None:
            found.setdefault(each.run_id, Score(each.public, each.private))
    return found


def _agreements(workspace: Workspace, sent: Iterable[Submission]) -> list[str]:
    """How well CV ranks these submissions, as far as that can be said."""
    return [
        f"{each.part} score and {each.metric} over {each.n} runs: Spearman {each.spearman:+.2f}, "
        f"Kendall {each.kendall:+.2f}"
        for each in scores.agreements(workspace.project, scores.all_scores(workspace.ledger, sent))
        if each.spearman is not None and each.kendall is not None
    ]


def _recorded(project: Project, names: Sequence[str]) -> tuple[dict[str, tuple[Recorded, ...]], list[str]]:
    found, warnings = {}, []
    for name in names:
        try:
            found[name] = resolve(project, name).recorded
        except ExperimentError as error:
            warnings.append(f"left out what {name} records: {error.what}")
    return found, warnings
