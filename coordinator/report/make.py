"""Makes the text of a report from the ledger and the results."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from coordinator import __version__
from coordinator.comparison import Candidate, Pool, all_candidates, find_candidate
from coordinator.errors import RunNotFound, UsageError
from coordinator.ledger import Run, all_submissions, meant, now, parse_run_name, remarks_of
from coordinator.progress import Count
from coordinator.project import Project, Recorded, experiment_names, resolve_all
from coordinator.report.boards import BEST, BaselineChoice, Board, Entry, boards
from coordinator.report.choice import choose, hidden, matches, one_by_one, parts_of
from coordinator.report.lacks import lacks
from coordinator.report.material import About, Item, Score, gather
from coordinator.report.page import Page, render
from coordinator.report.views import settings
from coordinator.results import Event
from coordinator.submissions import SubmissionScore, scores
from coordinator.workspace import Workspace

ONE_BY_ONE = 80
"""At most so many runs have a section of their own: with their curves and configs, these are most of a page."""
PAGE_MOST = 4_500_000
"""Bytes of a page; one with more is made again with half of these sections."""


@dataclasses.dataclass(frozen=True)
class Made:
    """A page."""

    text: str
    runs: tuple[str, ...]
    """Ids of the runs that it shows, the best first."""
    configs: int
    """How many lines its leaderboards have."""
    warnings: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Contents:
    """What a page is to show."""

    names: tuple[str, ...] = ()
    """Experiments (see `choice.choose`); all of them if empty."""
    target: str | None = None
    """Only the runs of this target."""
    every: bool = False
    """Every run, not only the newest of each experiment."""
    baseline: str | None = None
    """The config that the others are compared with (see `candidates.find_candidate`); else the best one."""
    pictures: int = 6
    """At most so many worst cases of one run."""
    title: str = "Experiments"
    most: int | None = None
    """Only so many experiments, those with the newest runs."""
    logged: Mapping[str, Sequence[Event]] = dataclasses.field(default_factory=dict)
    """Run id -> what its log reported so far, for runs whose results are not here."""
    is_live: bool = False
    """Whether each run has an address of its own, /runs/ID, instead of a section."""


def make_report(workspace: Workspace, contents: Contents) -> Made:
    """The page about these runs. Raises RunNotFound, UsageError."""
    page, warnings = gather_page(workspace, contents)
    text = render(page)
    while len(text.encode("utf-8", "replace")) > PAGE_MOST and len(page.items) > 1:
        page = _with_fewer(workspace.project, page)
        text = render(page)
    if page.left_out:
        every = len(page.items) + page.left_out
        warnings.append(f"{len(page.items)} of {every} runs are shown one by one; the means count all of them")
    configs = sum(len(board.entries) for board in page.boards)
    return Made(text, tuple(item.run.id for item in page.items), configs, tuple(warnings))


def _with_fewer(project: Project, page: Page) -> Page:
    """The page with half of the runs that it shows one by one."""
    scored = {item.run.id for item in page.items if item.score.public is not None}
    runs = one_by_one(page.boards, [item.run for item in page.items], scored, len(page.items) // 2)
    kept = {run.id for run in runs}
    items = [item for item in page.items if item.run.id in kept]
    left_out = page.left_out + len(page.items) - len(items)
    return dataclasses.replace(page, items=items, left_out=left_out, settings=settings(project, page.boards, items))


def gather_page(workspace: Workspace, contents: Contents) -> tuple[Page, list[str]]:
    """What a page about these runs shows, and warnings. Raises RunNotFound, UsageError."""
    names, target, baseline = contents.names, contents.target, contents.baseline
    files = experiment_names(workspace.project) if workspace.project.experiments.is_dir() else []
    pool = Pool.of(workspace)
    runs = [run for run in pool.runs if target in (None, run.target)]
    with workspace.progress(Count("reading the runs")):
        candidates = all_candidates(workspace, pool=pool)
    compared = find_candidate(workspace, baseline, pool) if baseline is not None else None
    for name in map(parse_run_name, names):
        if not meant(pool.runs, name) and meant(pool.every, name):
            raise RunNotFound(f"all runs of {name} are hidden: they do not count", hint="See: coord runs --hidden")
    chosen = choose(runs, candidates, names, files, every=contents.every)
    if contents.most is not None:
        newest = list(dict.fromkeys(run.experiment for run in chosen))[: contents.most]
        chosen = [run for run in chosen if run.experiment in newest]
    if compared is not None:
        wanted = {run.id for run in (*chosen, *compared.runs)}
        chosen = [run for run in runs if run.id in wanted]
    recorded, warnings = _recorded(workspace.project, [name for name in files if matches(name, names)])
    if not chosen and not any(recorded.values()):
        of = f" of {', '.join(names)}" if names else ""
        on = f" on {target}" if target is not None else ""
        raise RunNotFound(f"there are no runs{of}{on} to report", hint="Push one: coord push --exp NAME")
    parts = parts_of(runs)
    # Folds that were merged have no line of their own, also if a newer run of their experiment is shown.
    wholes = {(run.experiment, run.target) for run in chosen}
    merged = [run for run in runs if run.is_merged and (run.experiment, run.target) in wholes]
    ids = {run.id for run in chosen}
    older = hidden([run for run in merged if run.id not in ids], parts)
    chosen = [run for run in chosen if run.id not in older]
    ids -= older
    with workspace.progress(count := Count("comparing")):
        ranked = boards(
            workspace.project,
            _only(candidates, ids),
            candidates,
            hidden=hidden(chosen, parts),
            baseline=BaselineChoice(baseline, {run.id for run in compared.runs}) if compared is not None else BEST,
            count=count,
        )
    shown_ids = {run.id for entry in _entries(ranked) for run in entry.runs}
    if compared is not None and not any(run.id in shown_ids for run in compared.runs):
        raise UsageError(
            f"--baseline {baseline} has no line on this page",
            hint="It takes a complete run, of the target that --target names, if it is given.",
        )
    every = scores.all_scores(workspace.ledger, all_submissions(workspace.ledger))
    sent = [each for each in every if not ids.isdisjoint(_runs_of(each))]
    ordered = {run.id: run for run in [*(run for entry in _entries(ranked) for run in entry.runs), *chosen]}
    about = About(_scores(sent), parts, remarks_of(workspace.ledger), contents.logged, is_live=contents.is_live)
    brief = one_by_one(ranked, list(ordered.values()), about.scores.keys(), ONE_BY_ONE)
    shown = [workspace.ledger.get(run.id) for run in brief]  # the whole rows of these only
    with workspace.progress(count := Count("making the page", len(shown), "runs")):
        items = gather(workspace.project, count.each(shown), about, pictures=contents.pictures)
    page = Page(
        title=contents.title,
        boards=ranked,
        items=items,
        left_out=len(ordered) - len(shown),
        recorded=recorded,
        settings=settings(workspace.project, ranked, items),
        agreements=_agreements(workspace, sent),
        rows=workspace.project.settings.metrics.rows,
        made_at=now(),
        version=__version__,
    )
    warnings += lacks(workspace.project, shown)
    return page, warnings


def run_items(workspace: Workspace, chosen: Sequence[Run], contents: Contents) -> list[Item]:
    """What a page shows of each of these runs."""
    runs = workspace.ledger.runs()
    every = scores.all_scores(workspace.ledger, all_submissions(workspace.ledger))
    ids = {run.id for run in chosen}
    sent = [each for each in every if not ids.isdisjoint(_runs_of(each))]
    remarks = remarks_of(workspace.ledger)
    about = About(_scores(sent), parts_of(runs), remarks, contents.logged, is_live=contents.is_live)
    return gather(workspace.project, chosen, about, pictures=contents.pictures)


def _only(candidates: Sequence[Candidate], ids: set[str]) -> list[Candidate]:
    found = [dataclasses.replace(each, runs=tuple(run for run in each.runs if run.id in ids)) for each in candidates]
    return [each for each in found if each.runs]


def _entries(ranked: Sequence[Board]) -> list[Entry]:
    return [entry for board in ranked for entry in board.entries]


def _runs_of(score: SubmissionScore) -> list[str]:
    """Ids of the runs that a score is shown with: that which was submitted, and that whose CV it is paired with."""
    return [score.submission.run_id, *([score.cv_run.id] if score.cv_run else [])]


def _scores(sent: Iterable[SubmissionScore]) -> dict[str, Score]:
    """By run id; `sent` has the newest first."""
    found: dict[str, Score] = {}
    for each in sent:
        submission = each.submission
        for run in _runs_of(each) if submission.public is not None else ():
            of = each.label if run != submission.run_id else ""
            found.setdefault(run, Score(submission.public, submission.private, of))
    return found


def _agreements(workspace: Workspace, sent: Sequence[SubmissionScore]) -> list[str]:
    """Sentences about how well CV ranks these submissions, as far as that is known."""
    return [
        f"{each.part} score and {each.metric} over {each.n} runs: Spearman {each.spearman:+.2f}, "
        f"Kendall {each.kendall:+.2f}"
        for each in scores.agreements(workspace.project, sent)
        if each.spearman is not None and each.kendall is not None
    ]


def _recorded(project: Project, names: Sequence[str]) -> tuple[dict[str, tuple[Recorded, ...]], list[str]]:
    found = resolve_all(project, names)
    warnings = [f"left out the recorded values of {name}: {error.what}" for name, error in found.errors.items()]
    return {each.name: each.recorded for each in found.experiments}, warnings
