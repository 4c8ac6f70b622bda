"""The project: its experiments, its ledger and its commit."""

from __future__ import annotations

from collections.abc import Iterator

from coordinator.errors import CoordError
from coordinator.finding import Finding, Level, problem
from coordinator.kaggle_rules import SOURCE_KINDS
from coordinator.kernel import Ours, check_collisions, needed_slugs, render_metadata
from coordinator.ledger import Ledger, Run, dataset_versions, other_writer, run_times
from coordinator.project import Experiment, Project, TargetName, experiment_names, git, kernel_titles, resolve
from coordinator.runs import override_problems
from coordinator.target import DatasetState, RunState
from coordinator.text import command_line
from coordinator.wheels import current_lock

_NOT_READY = {
    DatasetState.SENDING: "was sent, and the answer is not known",
    DatasetState.PROCESSING: "was not ready when it was last asked for",
    DatasetState.REFUSED: "was refused when it was last pushed",
    DatasetState.FAILED: "could not be processed",
}


def check_experiments(project: Project, found: list[Finding], *, for_kaggle: bool) -> Iterator[Experiment]:
    """Yields the experiments that resolve and have valid metadata; the findings are added to `found`.

    Without `for_kaggle`, Kaggle's rules about titles and machines do not hold.
    """
    good = 0
    try:
        names, titles = experiment_names(project), kernel_titles(project)
    except CoordError as error:
        found.append(problem("experiments", error))
        return
    for name in names:
        try:
            experiment = resolve(project, name)
            check_collisions(experiment, titles)
            render_metadata(
                project.template("kernel-metadata.json.j2"),
                experiment,
                owner=project.settings.owner,
                attached=project.settings.attached,
                ours=Ours(tuple(dict.fromkeys(needed_slugs(experiment.needs, titles).values()))),
                for_kaggle=for_kaggle,
            )
        except CoordError as error:
            found.append(problem("experiments", error, f"Correct {project.relative(project.experiment_file(name))}."))
        else:
            good += 1
            yield experiment
    if not names:
        remedy = f"Write one: {project.relative(project.experiment_file('NAME'))}"
        found.append(Finding("experiments", Level.WARNING, "there are none", remedy))
    elif good == len(names):
        told = f"all {good} resolve" if good > 1 else "it resolves"
        found.append(Finding("experiments", Level.OK, f"{told}, with valid metadata"))


def attached_sources(experiments: list[Experiment]) -> dict[tuple[str, str], list[str]]:
    """(kind, name) of every attached source, with the experiments that attach it."""
    found: dict[tuple[str, str], list[str]] = {}
    for experiment in experiments:
        for kind in SOURCE_KINDS:
            for name in getattr(experiment.kernel, kind):
                found.setdefault((kind, name), []).append(experiment.name)
    return found


def check_needs(project: Project, experiments: list[Experiment], target: TargetName) -> Iterator[Finding]:
    """Whether each experiment that another one needs has a complete run on the target, by the ledger."""
    needed = {need.experiment: experiment.name for experiment in experiments for need in experiment.needs}
    if not needed:
        return
    runs: list[Run] = []
    if project.ledger.exists():
        try:
            with Ledger(project.ledger) as ledger:
                runs = ledger.runs(target=target, hidden=True)
        except CoordError:  # `check_ledger` tells it
            return
    there = {run.experiment for run in runs if run.has_kernel and run.state is RunState.COMPLETE}
    for name, of in needed.items():
        if name not in there:
            what = f"{of} needs {name}, which has no complete run on {target}"
            remedy = command_line("coord", "push", "--exp", name, "--target", target)
            yield Finding("needs", Level.WARNING, what, remedy)
    if there.issuperset(needed):
        yield Finding("needs", Level.OK, f"complete runs on {target} of {', '.join(needed)}")


def check_dry_run(project: Project, experiments: list[Experiment]) -> Iterator[Finding]:
    """Whether the configs have the values that the settings replace for a dry run, and take the new ones."""
    overrides = project.settings.dry_run.overrides
    if not overrides or not experiments:
        return
    found: dict[str, list[str]] = {}
    for experiment in experiments:
        try:
            for each in override_problems(project, experiment):
                found.setdefault(each, []).append(experiment.name)
        except CoordError as error:
            yield problem("dry run", error)
            return
    for each, names in found.items():
        of = "every experiment" if len(names) == len(experiments) else ", ".join(names[:3]) + ", ..." * (len(names) > 3)
        remedy = f"Correct it in {project.relative(project.pyproject)}: coord dry-run would refuse {of}."
        yield Finding("dry run", Level.PROBLEM, each, remedy)
    if not found:
        yield Finding("dry run", Level.OK, f"the configs take the values that it replaces: {', '.join(overrides)}")


def check_wheels(project: Project) -> Iterator[Finding]:
    """Whether the wheels are those that the settings' requirements and the image ask for."""
    try:
        lock = current_lock(project)
    except CoordError as error:
        yield problem("wheels", error)
        return
    if lock is not None:
        count = len(lock.wheels)
        what = f"{count} wheel{'s' * (count != 1)} for Python {lock.python}, by {project.relative(project.wheels_lock)}"
        yield Finding("wheels", Level.OK, what)


def check_ledger(project: Project) -> Iterator[Finding]:
    if not project.ledger.exists():
        yield Finding("ledger", Level.OK, "none yet: the first push makes it")
        return
    try:
        with Ledger(project.ledger) as ledger:
            runs, other, datasets = ledger.runs(hidden=True), other_writer(ledger), dataset_versions(ledger)
    except CoordError as error:
        yield problem("ledger", error, "Move the file away: runs go on without it, and results/ stays as it is.")
        return
    active = sum(run.state.is_active for run in runs)
    yield Finding("ledger", Level.OK, f"{len(runs)} run{'s' * (len(runs) != 1)}, {active} active")
    if other is not None:
        what = f"{other.host} wrote last into it, at {other.wrote_at}: locks do not hold between machines"
        yield Finding("ledger", Level.WARNING, what, "Use one machine at a time, and let the folder be synced first.")
    newest = {(each.target, each.reference): each for each in reversed(datasets) if not each.never_arrived}
    for dataset in newest.values():
        if dataset.state is not DatasetState.READY:
            what = f"data set {dataset.label} on {dataset.target} {_NOT_READY[dataset.state]}"
            yield Finding("ledger", Level.WARNING, what, f"coord data status {dataset.reference}")
    for run in runs:
        if run.state is RunState.PUSHING:
            what = f"the push of {run.experiment} to {run.target} has no answer yet"
            yield Finding("ledger", Level.WARNING, what, "coord status finds out what arrived.")
        elif run_times(run).is_stuck:
            remedy = f"coord status, then coord cancel --exp {run.experiment} --version {run.version}"
            yield Finding("ledger", Level.WARNING, f"{run.label} is stuck: it should have ended by now", remedy)


def check_git(project: Project) -> Iterator[Finding]:
    commit = git.read_commit(project.root)
    if commit.name is None:
        yield Finding("git", Level.WARNING, commit.why_not, commit.remedy)
    else:
        changed = ", with changes that it does not have" if commit.name.endswith("-dirty") else ""
        yield Finding("git", Level.OK, commit.name.removesuffix("-dirty") + changed)
