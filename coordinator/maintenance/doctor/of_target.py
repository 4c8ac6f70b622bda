"""The target: the network, the clock, the credentials, the quota, and the sources that experiments attach."""

from __future__ import annotations

import shlex
import stat
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC

from coordinator.clock import Clock
from coordinator.errors import CoordError, NoAnswer, ProjectError
from coordinator.finding import Finding, Level, problem
from coordinator.kaggle_rules import normal_name
from coordinator.kernel import modules_needed
from coordinator.project import Experiment, Project, TargetName
from coordinator.runs import source_remedy
from coordinator.target import (
    KAGGLE,
    LOCAL,
    Target,
    abilities_of,
    cluster_findings,
    credential_files,
    find_credentials,
    kaggle_endpoint,
    local,
    open_target,
)

_SKEW_WARNING, _SKEW_PROBLEM = 30.0, 300.0  # seconds
_SLOW = 2.0  # seconds of one question
_HOUR = 3600.0
_AT_ONCE = 8
_LATER = "Try again in a few minutes."

Sources = Mapping[tuple[str, str], Sequence[str]]
"""(kind, name) of every attached source, with the experiments that attach it."""


def check_kaggle(project: Project, sources: Sources, clock: Clock) -> Iterator[Finding]:
    yield from _file_modes()
    try:
        endpoint = kaggle_endpoint()
    except ProjectError as error:
        yield problem("network", error)
        return
    reached = yield from _network(endpoint, clock)
    try:
        source = find_credentials().source
    except CoordError as error:
        yield problem("credentials", error)
        return
    if not reached:
        yield Finding("credentials", Level.WARNING, f"from {source}; not tried", "Mend the network first.")
        return
    try:
        with open_target(project, KAGGLE) as target:
            user = target.user()
            yield from _whose(user, source, target.owner)
            yield from _quota(target)
            yield from _sources(project, sources, target.has_source, KAGGLE)
    except CoordError as error:
        yield problem("credentials", error, _LATER)


def _file_modes() -> Iterator[Finding]:
    files = credential_files()
    loose = [file for file in files if file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)]
    for file in loose:
        what = f"others on this machine may read {file}"
        yield Finding("file modes", Level.WARNING, what, f"chmod 600 {shlex.quote(str(file))}")
    if files and not loose:
        yield Finding("file modes", Level.OK, f"only you can read {', '.join(map(str, files))}")


def _network(endpoint: str, clock: Clock) -> Generator[Finding, None, bool]:
    """Yields the findings, and returns whether the endpoint answers."""
    # Imported here: requests takes a tenth of a second, and the local target does not need it.
    from coordinator.target import reach

    try:
        reached = reach(endpoint, clock=clock)
    except NoAnswer as error:
        yield problem("network", error)
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
    if user and normal_name(user) != owner:
        what = f'those from {source} are of "{user}", but [tool.coord] owner is "{owner}"'
        yield Finding("credentials", Level.PROBLEM, what, "Change one of them: every push would be refused.")
    else:
        yield Finding("credentials", Level.OK, f'from {source}, accepted, of "{user or owner}"')


def _quota(target: Target) -> Iterator[Finding]:
    try:
        quota = target.quota()
    except CoordError as error:
        yield Finding("quota", Level.WARNING, error.what, error.hint or "Try again: coord quota")
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
    project: Project, sources: Sources, exists: Callable[[str, str], bool], target: TargetName
) -> Iterator[Finding]:
    """Asks whether they exist, several at the same time."""
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
                "sources",
                Level.PROBLEM,
                f"{what} (of {users}) is not there, or not for you",
                source_remedy(project, kind, name, target),
            )
    if there:
        yield Finding("sources", Level.OK, f"there: {', '.join(there)}")


def check_local(project: Project, sources: Sources) -> Iterator[Finding]:
    """The local Kaggle needs neither credentials nor a network."""
    try:
        with open_target(project, LOCAL) as target:
            yield Finding("local Kaggle", Level.OK, f'in {project.relative(project.local_kaggle)}, as "{target.owner}"')
            yield from _quota(target)
        yield from _sources(
            project, sources, lambda kind, name: local.source_folder(project, kind, name) is not None, LOCAL
        )
    except CoordError as error:
        yield problem("local Kaggle", error)


def check_cluster(
    project: Project, name: TargetName, sources: Sources, experiments: Sequence[Experiment]
) -> Iterator[Finding]:
    """What the cluster's own engine says, what its Python lacks, and whether the attached sources are there."""
    abilities = abilities_of(project, name)
    modules: dict[str, str] = {}
    # Those that have the same entry import the same.
    for experiment in {each.launch.entry: each for each in experiments}.values():
        try:
            modules |= modules_needed(project, experiment)
        except CoordError as error:
            yield problem("imports", error, f"Correct what {experiment.name} is built of.")
    try:
        found = list(cluster_findings(project, name, modules))
        yield from found
        if not abilities.denies_internet:
            what = "kernels reach what its machines reach: enable_internet = false denies nothing here"
            yield Finding("internet", Level.OK, what)
        if sources and not any(each.level is Level.PROBLEM for each in found):
            with open_target(project, name) as target:
                yield from _sources(project, sources, target.has_source, name)
    except CoordError as error:
        yield problem(name, error, _LATER)
