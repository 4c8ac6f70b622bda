"""The verb doctor: whether everything is in place for a push, from the credentials to the clock, and what to do."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from coordinator import __version__
from coordinator.clock import SYSTEM_CLOCK, Clock
from coordinator.errors import CoordError, NoAnswer, ProjectError
from coordinator.kernel import check_collisions, render_metadata
from coordinator.ledger import Ledger, run_times
from coordinator.project import (
    Experiment,
    Project,
    Settings,
    TargetName,
    experiment_names,
    find_project,
    git,
    kernel_titles,
    resolve,
    target_name,
)
from coordinator.target import RunState, Target, credential_files, find_credentials, kaggle_endpoint, local, open_target

_GIB = 1 << 30
_DISK_NEEDED, _DISK_WANTED = 1 * _GIB, 20 * _GIB  # Kaggle keeps up to 20 GB of a run's output; 2026-11
_SKEW_WARNING, _SKEW_PROBLEM = 30.0, 300.0  # seconds
_SLOW = 2.0  # seconds of one question
_HOUR = 3600.0
_AT_ONCE = 8
_LATER = "Try again in a few minutes."
_COMMIT = "runs then name the commit that they are of."
SOURCE_KINDS = ("dataset_sources", "competition_sources", "kernel_sources", "model_sources")


class Level(StrEnum):
    """How well it is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, how it is, and what to do about it."""

    check: str
    level: Level
    what: str
    remedy: str = ""

    def to_json(self) -> dict[str, str]:
        return {"check": self.check, "state": str(self.level), "what": self.what, "remedy": self.remedy}


def diagnose(option: str | None = None, *, clock: Clock = SYSTEM_CLOCK) -> list[Finding]:
    """Everything that was found, for the target that `--target` names, or the project; no finding holds a secret.

    The target `local` needs no network.
    """
    found = list(_versions())
    project: Project | None = None
    try:
        project = find_project()
        name = target_name(project, option)
        found.append(Finding("project", Level.OK, f"{project.root}, target {name}"))
    except ProjectError as error:
        found.append(_problem("project", error))
        name = "local" if (option or os.environ.get("COORD_TARGET")) == "local" else "kaggle"
    found += _disk(project.root if project else Path.cwd())
    sources: dict[tuple[str, str], list[str]] = {}
    if project is not None:
        experiments = list(_experiments(project, found))
        sources = _attached(experiments)
        found += _ledger(project)
        found += _git(project)
    if name == "kaggle":
        # Without a project there are no settings either, but there may be an account.
        found += _kaggle(project or Project(root=Path.cwd(), settings=Settings()), sources, clock)
    elif project is not None:
        found += _local(project, sources)
    return found


def _problem(check: str, error: CoordError, remedy: str = "") -> Finding:
    return Finding(check, Level.PROBLEM, error.what, error.hint or remedy)


# This machine


def _versions() -> Iterator[Finding]:
    yield Finding("Python", Level.OK, platform.python_version())  # pip refuses one that is too old
    yield Finding("coord", Level.OK, __version__)
    for name in ("kaggle", "kagglesdk"):
        found = _version(name)
        if found is None:
            yield Finding(name, Level.PROBLEM, "not installed", "pip install --upgrade kaggle")
        else:
            yield Finding(name, Level.OK, found)
    torch = _version("torch")
    yield Finding("torch", Level.OK, torch or "not installed; only runs on this machine would need it")


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _disk(folder: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(folder).free
    what = f"{free / _GIB:.1f} GiB free"
    if free < _DISK_NEEDED:
        yield Finding("disk", Level.PROBLEM, what, f"Make room on the disk of {folder}.")
    elif free < _DISK_WANTED:
        yield Finding("disk", Level.WARNING, what, "A run may leave 20 GB: make room, or fetch only some of its files.")
    else:
        yield Finding("disk", Level.OK, what)


# The project


def _experiments(project: Project, found: list[Finding]) -> Iterator[Experiment]:
    """Those that resolve and have sound metadata; the findings about all of them go into `found`."""
    good = 0
    try:
        names, titles = experiment_names(project), kernel_titles(project)
    except CoordError as error:
        found.append(_problem("experiments", error))
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
            )
        except CoordError as error:
            found.append(_problem("experiments", error, f"Correct {project.relative(project.experiment_file(name))}."))
        else:
            good += 1
            yield experiment
    if not names:
        remedy = f"Write one: {project.relative(project.experiment_file('NAME'))}"
        found.append(Finding("experiments", Level.WARNING, "there are none", remedy))
    elif good == len(names):
        told = f"all {good} resolve" if good > 1 else "it resolves"
        found.append(Finding("experiments", Level.OK, f"{told}, with sound metadata"))


def _attached(experiments: list[Experiment]) -> dict[tuple[str, str], list[str]]:
    """(kind, name) of every attached source, with the experiments that attach it."""
    found: dict[tuple[str, str], list[str]] = {}
    for experiment in experiments:
        for kind in SOURCE_KINDS:
            for name in getattr(experiment.kernel, kind):
                found.setdefault((kind, name), []).append(experiment.name)
    return found


def _ledger(project: Project) -> Iterator[Finding]:
    if not project.ledger.exists():
        yield Finding("ledger", Level.OK, "none yet: the first push makes it")
        return
    try:
        with Ledger(project.ledger) as ledger:
            runs = ledger.runs()
    except CoordError as error:
        yield _problem("ledger", error, "Set the file aside: runs go on without it, and results/ is not touched.")
        return
    active = sum(run.state.is_active for run in runs)
    yield Finding("ledger", Level.OK, f"{len(runs)} run{'s' * (len(runs) != 1)}, {active} active")
    for run in runs:
        if run.state is RunState.PUSHING:
            what = f"the push of {run.experiment} to {run.target} has no answer yet"
            yield Finding("ledger", Level.WARNING, what, "coord status asks what arrived.")
        elif run_times(run).is_stuck:
            remedy = f"coord status, then coord cancel --exp {run.experiment} --version {run.version}"
            yield Finding("ledger", Level.WARNING, f"{run.label} is stuck: it should have ended by now", remedy)


def _git(project: Project) -> Iterator[Finding]:
    commit = git.commit(project.root)
    if commit is not None:
        changed = ", with changes that it does not have" if commit.endswith("-dirty") else ""
        yield Finding("git", Level.OK, commit.removesuffix("-dirty") + changed)
    elif shutil.which("git") is None:
        yield Finding(
            "git", Level.WARNING, "git is not installed", "Install it: runs then name the commit they are of."
        )
    else:
        remedy = "git init, and commit: runs then name the commit they are of."
        yield Finding("git", Level.WARNING, "the project has no commit", remedy)


# The target


def _kaggle(project: Project, sources: dict[tuple[str, str], list[str]], clock: Clock) -> Iterator[Finding]:
    yield from _file_modes()
    try:
        endpoint = kaggle_endpoint()
    except ProjectError as error:
        yield _problem("network", error)
        return
    reached = yield from _network(endpoint, clock)
    try:
        source = find_credentials().source
    except CoordError as error:
        yield _problem("credentials", error)
        return
    if not reached:
        yield Finding("credentials", Level.WARNING, f"from {source}; not tried", "Mend the network first.")
        return
    try:
        with open_target(project, "kaggle") as target:
            user = target.user()
            yield from _whose(user, source, target.owner)
            yield from _quota(target)
            yield from _sources(sources, target.has_source, "kaggle")
    except CoordError as error:
        yield _problem("credentials", error, _LATER)


def _file_modes() -> Iterator[Finding]:
    files = credential_files()
    loose = [file for file in files if file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)]
    for file in loose:
        what = f"others on this machine may read {file}"
        yield Finding("file modes", Level.WARNING, what, f"chmod 600 {shlex.quote(str(file))}")
    if files and not loose:
        yield Finding("file modes", Level.OK, f"only you can read {', '.join(map(str, files))}")


def _network(endpoint: str, clock: Clock) -> Any:
    """Yields findings, returns whether the endpoint answers."""
    # Imported here: requests takes a tenth of a second, which the local target need not pay.
    from coordinator.target import reach

    try:
        reached = reach(endpoint, clock=clock)
    except NoAnswer as error:
        yield _problem("network", error)
        return False
    what = f"{endpoint} answers in {1000 * reached.seconds:.0f} ms"
    if reached.seconds > _SLOW:
        yield Finding("network", Level.WARNING, what, "That is slow: expect status and fetch-results to take long.")
    else:
        yield Finding("network", Level.OK, what)
    yield _clock(reached.ahead)
    return True


def _clock(ahead: float | None) -> Finding:
    if ahead is None:
        return Finding("clock", Level.OK, "the target does not say what time it is")
    if abs(ahead) < _SKEW_WARNING:
        return Finding("clock", Level.OK, "as the target's" if not ahead else f"{abs(ahead):.0f} s off")
    level = Level.PROBLEM if abs(ahead) > _SKEW_PROBLEM else Level.WARNING
    what = f"this machine's is {abs(ahead):.0f} s {'ahead' if ahead > 0 else 'behind'}"
    return Finding("clock", level, what, "Set it (timedatectl set-ntp true): tokens and addresses would seem expired.")


def _whose(user: str | None, source: str, owner: str) -> Iterator[Finding]:
    if user and user.lower() != owner.lower():
        what = f'those from {source} are of "{user}", but [tool.coord] owner is "{owner}"'
        yield Finding("credentials", Level.PROBLEM, what, "Change one of them: every push would be refused.")
    else:
        yield Finding("credentials", Level.OK, f'from {source}, accepted, of "{user or owner}"')


def _quota(target: Target) -> Iterator[Finding]:
    try:
        quota = target.quota()
    except CoordError as error:
        yield Finding("quota", Level.WARNING, error.what, error.hint or "coord quota asks again.")
        return
    until = f"{quota.refreshes_at.astimezone(UTC):%A, %H:%M} UTC" if quota.refreshes_at else "it is renewed"
    for each in quota.accelerators:
        what = f"{each.kind.upper()}: {each.left / _HOUR:.1f} of {each.total / _HOUR:.1f} h left until {until}"
        if each.left < _HOUR and each.total > 0:
            remedy = f"Wait until {until}, or run without a {each.kind.upper()}."
            yield Finding("quota", Level.WARNING, what, remedy)
        else:
            yield Finding("quota", Level.OK, what)


def _sources(
    sources: dict[tuple[str, str], list[str]], exists: Callable[[str, str], bool], target: TargetName
) -> Iterator[Finding]:
    """Asks for all of them side by side."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        asked = {source: pool.submit(exists, *source) for source in sources}
    there = []
    for (kind, name), answer in asked.items():
        what = f"{kind.removesuffix('_sources')} {name}"
        users = ", ".join(sources[kind, name][:3]) + (", ..." if len(sources[kind, name]) > 3 else "")
        try:
            found = answer.result()
        except CoordError as error:
            yield Finding(
                "sources", Level.PROBLEM, f"{what}: {error.what}", error.hint or "Try again in a few minutes."
            )
            continue
        if found:
            there.append(name)
        else:
            yield Finding(
                "sources", Level.PROBLEM, f"{what} (of {users}) is not there, or not for you", _remedy(kind, target)
            )
    if there:
        yield Finding("sources", Level.OK, f"there: {', '.join(there)}")


def _remedy(kind: str, target: TargetName) -> str:
    if target == "local":
        commands = {
            "dataset_sources": "coord local add-dataset OWNER/SLUG DIR",
            "competition_sources": "coord local add-competition SLUG DIR",
            "kernel_sources": "Push that kernel to the local Kaggle, and let it complete.",
        }
        return commands.get(kind, "The local Kaggle has no models.")
    if kind == "competition_sources":
        return "Check the name, and accept the competition's rules on its page."
    return "Check the name on its page; if it is private, ask its owner to share it."


def _local(project: Project, sources: dict[tuple[str, str], list[str]]) -> Iterator[Finding]:
    """The local Kaggle needs neither credentials nor a network."""
    try:
        with open_target(project, "local") as target:
            yield Finding("local Kaggle", Level.OK, f'in {project.relative(project.local_kaggle)}, as "{target.owner}"')
            yield from _quota(target)
        yield from _sources(sources, lambda kind, name: local.has_source(project, kind, name), "local")
    except CoordError as error:
        yield _problem("local Kaggle", error)
