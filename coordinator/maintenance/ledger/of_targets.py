"""Compares the ledger with a target: versions of this project's kernels, submissions of its runs, and data sets."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import PurePosixPath

from coordinator.bundle import reader, script_in, stamp_of
from coordinator.errors import BundleError, CoordError, NoAccess
from coordinator.files import held
from coordinator.kernel import kernel_slug
from coordinator.ledger import submissions
from coordinator.maintenance.ledger import of_datasets
from coordinator.maintenance.ledger.problem import NotAsked, Problem
from coordinator.maintenance.ledger.rebuilt import fetched, from_kernel, iso
from coordinator.progress import Count
from coordinator.project import kernel_titles
from coordinator.results import Results
from coordinator.runs import adopt
from coordinator.submissions import scores
from coordinator.target import recorded_abilities
from coordinator.workspace import Workspace

_ANY = "0experiment0"
"""Stands for any experiment's name in a slug."""


def check(workspace: Workspace) -> Iterator[Problem | NotAsked]:
    """Asks the target for every version of the kernels, the submissions to the runs' competitions, and data sets."""
    try:
        yield from _kernels(workspace)
        yield from _submissions(workspace)
        yield from of_datasets.check_target(workspace)
    except CoordError as error:
        yield NotAsked(f"{workspace.target.name} could not be asked: {error.what}", error.hint or "Try again later.")


def _kernels(workspace: Workspace) -> Iterator[Problem]:
    """Versions on the target that the ledger does not have, of the kernels of this project's experiments.

    Also of experiments whose file is gone, and of sweeps, if the ledger is lost, too: their kernels are known by their
    titles and their content.
    """
    runs = [run for run in workspace.ledger.readable() if run.target == workspace.target.name]
    slugs = {kernel_slug(title, name) for name, title in kernel_titles(workspace.project).items()}
    slugs |= {run.slug for run in runs if run.owner == workspace.target.owner}
    told = {found.run.id for _, found in fetched(workspace) if found is not None}
    there = sorted(set(workspace.target.kernels()))
    with workspace.progress(count := Count(f"asking {workspace.target.name}", len(there), "kernels")):
        for slug in count.each(there):
            if slug not in slugs and not _is_of_this_project(workspace, slug):
                continue
            # What is being pushed at the moment is not lost.
            with held(workspace.project.push_lock(workspace.target.name, slug), wait=True):
                yield from _kernel(workspace, slug, told)


def _is_of_this_project(workspace: Workspace, slug: str) -> bool:
    """Whether a kernel was made of an experiment of this project, which has no file: by its title and its entry."""
    settings, target = workspace.project.settings, workspace.target
    before, named, after = kernel_slug(settings.kernel.title, _ANY).partition(_ANY)
    if not (named and slug.startswith(before) and slug.endswith(after)):
        return False
    newest = target.source(target.owner, slug)
    for version in range(newest[0] if newest else 0, 0, -1):
        try:
            found = target.source(target.owner, slug, version)
        except NoAccess:  # versions can be deleted one by one
            continue
        try:
            kernel = reader.read_kernel((found[1] if found else "").encode("utf-8", "replace"), slug)
        except BundleError:  # coord did not make this version
            continue
        made_here = kernel.entry == settings.entry and kernel_slug(settings.kernel.title, kernel.experiment) == slug
        return made_here and kernel.stamp.get("run", "-") != "-"
    return False


def _kernel(workspace: Workspace, slug: str, told: Collection[str]) -> Iterator[Problem]:
    """Versions of one kernel; `told` are the ids of runs that were found in results/."""
    ledger, target = workspace.ledger, workspace.target
    address = (target.name, target.owner, slug)
    runs = [run for run in ledger.readable() if (run.target, run.owner, run.slug) == address]
    by_id = {run.id: run for run in runs}
    recorded = {run.version: run for run in reversed(runs) if run.version is not None}
    newest = target.source(target.owner, slug)
    latest = newest[0] if newest else 0
    above = datetime.now(UTC)
    for version in range(latest, 0, -1):
        if version in recorded:
            above = min(above, datetime.fromisoformat(recorded[version].created_at))
            continue
        try:
            found = target.source(target.owner, slug, version)
        except NoAccess:  # versions can be deleted one by one
            continue
        text = found[1] if found else ""
        stamp = stamp_of(script_in(text))
        run_id, where = stamp.get("run"), f"{target.owner}/{slug} v{version} on {target.name}"
        if run_id is None or run_id == "-":
            continue  # pushed by something else
        known = by_id.get(run_id)
        if known is None and run_id in told:
            continue
        if known is None:
            above -= timedelta(seconds=1)  # before what was pushed after it
            try:
                run = from_kernel(target, slug, version, text, created_at=iso(above))
            except (ValueError, TypeError) as error:
                yield Problem(f"{where} has values that coord does not write: {error}", "it is left alone")
                continue
            if run is not None:
                yield Problem(
                    f"{where} is of run {run_id}, which the ledger does not have",
                    "add the run, from its kernel: coord status finds out how it stands",
                    partial(ledger.replace, run),
                )
            else:
                yield Problem(
                    f"{where} is of run {run_id}, which the ledger does not have, and it does not read as a kernel",
                    "it was edited, or made by a newer coord: see its page",
                )
        elif known.version is None and known.may_arrive:
            yield Problem(
                f"{where} is of run {run_id}, which {known.state.phrase}",
                "adopt the version",
                partial(adopt, workspace, known, version),
            )
        else:
            yield Problem(
                f"{where} is of run {run_id}, too, which is {known.label}",
                "a second session of one push: see whether it runs, on the kernel's page",
            )


def _submissions(workspace: Workspace) -> Iterator[Problem | NotAsked]:
    """Submissions of the ledger's runs, to the competitions that these and the settings name."""
    target = workspace.target
    # A cluster's runs are submitted elsewhere, as files.
    runs = [
        run for run in workspace.ledger.readable() if run.target == target.name or not recorded_abilities(run.target)
    ]
    if not runs or not target.abilities.has_competitions:
        return
    settings = workspace.project.settings
    named = [*settings.kernel.competition_sources, *filter(None, [settings.submission.competition])]
    for run in runs:
        named += run.metadata.get("competition_sources") or []
    for slug in dict.fromkeys(named):
        try:
            lost = scores.unknown(workspace, slug)
        except NoAccess:
            continue  # nobody can have submitted anything
        except CoordError as error:
            yield NotAsked(
                f"{slug} on {workspace.target.name} could not be asked: {error.what}", error.hint or "Try again later."
            )
            continue
        if lost:
            yield Problem(
                f"{slug} on {workspace.target.name} has submissions of the ledger's runs that it does not have: "
                f"{len(lost)}",
                "add them",
                partial(_take_in, workspace, slug),
            )


def _take_in(workspace: Workspace, slug: str) -> None:
    for each in scores.refresh(workspace, slug):
        run = workspace.ledger.get(each.run_id)
        if not each.sha256:  # by it a file is known that was submitted before
            results = Results(workspace.project.results(run.experiment, run.target, run.results_version))
            kept = results.fetched().get(PurePosixPath(each.file_name))
            if kept is not None and results.run_id() == run.id:
                submissions.update(workspace.ledger, each, sha256=kept.sha256)
