"""The verb ledger check: what is wrong with the ledger, and what can be rebuilt of it from results/ and the targets.

Each step looks at one kind of thing and yields problems; a problem that can be repaired brings what repairs it.
"""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from coordinator import metrics
from coordinator.bundle import reader
from coordinator.bundle.bootstrap import digest_of, stamp_of
from coordinator.bundle.notebook import script_in
from coordinator.errors import BundleError, CoordError, NoAccess, TargetError
from coordinator.experiment import kernel_titles
from coordinator.fetch import SUMMARY
from coordinator.ledger import Ledger, Run, now
from coordinator.locks import held
from coordinator.metadata import kernel_slug
from coordinator.project import Project
from coordinator.refresh import NEVER_ARRIVED
from coordinator.results import RUN
from coordinator.salvage import damage, salvage
from coordinator.target import RunState, Target

_UNSENT = (RunState.PUSHING, RunState.REFUSED)
_FROM_RESULTS = (
    *("id", "experiment", "target", "owner", "slug", "version", "url", "digest", "git", "overrides", "pushed_at"),
    *("config", "metadata"),
)


@dataclass(frozen=True)
class Problem:
    """Something that is not as it should be."""

    what: str
    remedy: str
    """What --repair does about it, or has done; else what a person can do."""
    repair: Callable[[], object] | None = None

    def to_json(self) -> dict[str, Any]:
        return {"what": self.what, "remedy": self.remedy, "repairable": self.repair is not None}


def check_file(file: Path) -> Problem | None:
    """What is wrong with the ledger's file; it must be sound before a ledger can be opened and `check`ed."""
    found = damage(file)
    if not found:
        return None

    return Problem(
        f"{file.name} is damaged: {found[0]}" + (f" (and {len(found) - 1} more)" if len(found) > 1 else ""),
        f"move it to {file.name}.damaged-N, make a new one, and copy what can still be read",
        partial(salvage, file),
    )


def check(project: Project, ledger: Ledger, targets: Iterable[Target]) -> Iterator[Problem]:
    """All problems, one after the other; a caller that repairs does so before it asks for the next one.

    Results come before targets, because they know more of a run: its overrides, when it was pushed, how it ended.
    """
    yield from _rows(project, ledger)
    yield from _states(ledger)
    yield from _versions(ledger)
    yield from _results(project, ledger)
    for target in targets:
        try:
            yield from _target(project, ledger, target)
        except CoordError as error:
            yield Problem(f"{target.name} could not be asked: {error.what}", error.hint or "Try again later.")


def _rows(project: Project, ledger: Ledger) -> Iterator[Problem]:
    """Rows that do not read."""
    for run_id, reason in ledger.unreadable().items():
        rebuilt = next((run for _, run in _fetched(project) if run is not None and run.id == run_id), None)
        yield Problem(
            f"the row of run {run_id} does not read: {reason}",
            "rebuild it from its results" if rebuilt else "its kernel may tell more; other commands stop at this row",
            partial(ledger.replace, rebuilt) if rebuilt else None,
        )


def _states(ledger: Ledger) -> Iterator[Problem]:
    """States that cannot be. What is set instead is open, so that `coord status` asks the target."""
    for run in ledger.readable():
        if run.state in _UNSENT and run.version is not None:
            open_state, why = RunState.QUEUED, f"is {run.state}, but has a version"
        elif run.state not in _UNSENT and run.version is None:
            open_state, why = RunState.PUSHING, f"is {run.state}, but has no version"
        else:
            continue
        yield Problem(
            f"{run.label} (run {run.id}) {why}",
            f"set it to {open_state}: coord status finds out",
            partial(ledger.update, run.id, state=open_state, ended_at=None),
        )


def _versions(ledger: Ledger) -> Iterator[Problem]:
    """One version claimed by two runs. (A kernel that was deleted counts from 1 again, so numbers do come back.)"""
    kernels = defaultdict[tuple[str, str, str], list[Run]](list)
    for run in reversed(ledger.readable()):
        if run.version is not None:
            kernels[run.target, run.owner, run.slug].append(run)
    for runs in kernels.values():
        for earlier, later in itertools.pairwise(runs):
            if earlier.version == later.version and later.version != 1:
                yield Problem(
                    f"{later.label} is the version of two runs in a row: {earlier.id} and {later.id}",
                    f"see the first line of {later.owner}/{later.slug} v{later.version}: it names the run",
                )


def _results(project: Project, ledger: Ledger) -> Iterator[Problem]:
    """Folders that belong to no run, or hold another run's files; fetched runs whose folder is gone."""
    known = {run.id: run for run in ledger.readable()}
    for directory, rebuilt in _fetched(project):
        name = project.relative(directory)
        if rebuilt is None:
            yield Problem(f"{name}/ has no {RUN} that reads: it is not known whose it is", "move it away")
            continue
        run = known.get(rebuilt.id)
        if run is None:
            yield Problem(
                f"{name}/ is of run {rebuilt.id}, which the ledger does not have",
                "add the run, from its results",
                partial(ledger.replace, rebuilt),
            )
            run = rebuilt
        elif (run.experiment, run.target, run.version) != (rebuilt.experiment, rebuilt.target, rebuilt.version):
            yield Problem(f"{name}/ says that it is {rebuilt.label}; run {run.id} is {run.label}", "move it away")
            continue
        yield from _contents(project, directory, run)
    for run in known.values():
        if run.fetched_at and run.version and not project.results(run.experiment, run.target, run.version).is_dir():
            yield Problem(
                f"{run.label} was fetched, and its results are gone",
                f"forget that it was: coord fetch-results --exp {run.experiment} brings them again",
                partial(ledger.update, run.id, fetched_at=None),
            )


def _contents(project: Project, directory: Path, run: Run) -> Iterator[Problem]:
    """Metrics and kernel must be this run's, and the kernel what was pushed."""
    again = f"bring them again: coord fetch-results --exp {run.experiment} --version {run.version} --force"
    try:
        summary = metrics.read_summary(directory / SUMMARY)
    except TargetError as error:
        yield Problem(error.what, again)
        return
    if summary is not None and summary.get("run_id") != run.id:
        yield Problem(f"{project.relative(directory / SUMMARY)} is of run {summary.get('run_id')}, not {run.id}", again)
    kernel = directory / str(run.metadata.get("code_file", ""))
    if kernel.is_file():
        script = script_in(kernel.read_text(encoding="utf-8", errors="replace"))
        if stamp_of(script).get("run") != run.id:
            yield Problem(f"{project.relative(kernel)} is not of run {run.id}", again)
        elif digest_of(script) != run.digest:
            yield Problem(
                f"{project.relative(kernel)} is not what was pushed: its digest is {digest_of(script)}", again
            )


def _fetched(project: Project) -> Iterator[tuple[Path, Run | None]]:
    """Every folder of results, and the run that its run.json describes."""
    for directory in sorted(project.all_results.glob("*/*-v*")):
        if directory.is_dir():
            try:
                yield directory, _from_results(directory)
            except (OSError, ValueError, KeyError, TypeError, CoordError):
                yield directory, None


def _from_results(directory: Path) -> Run:
    values = json.loads((directory / RUN).read_text(encoding="utf-8"))
    summary = metrics.read_summary(directory / SUMMARY)
    written = _iso(datetime.fromtimestamp((directory / RUN).stat().st_mtime, UTC))
    is_complete = summary is not None and summary.get("status") == "complete"
    run = Run(
        **{name: values[name] for name in _FROM_RESULTS},
        # Results are fetched of runs that have ended only.
        state=RunState.COMPLETE if is_complete else RunState.ERROR,
        message="" if is_complete else "rebuilt from its results, which do not say how it ended",
        created_at=values["pushed_at"] or written,
        ended_at=written,
        summary=summary,
        continues=values.get("continues"),  # which run.json did not have at first
    )
    if not isinstance(run.version, int) or not isinstance(run.metadata, dict) or not isinstance(run.config, dict):
        raise TypeError(f"{RUN} has values of another kind")
    return run


def _target(project: Project, ledger: Ledger, target: Target) -> Iterator[Problem]:
    """Versions on the target that the ledger does not have, of the kernels of this project's experiments."""
    runs = [run for run in ledger.readable() if run.target == target.name]
    slugs = {kernel_slug(title, name) for name, title in kernel_titles(project).items()}
    slugs |= {run.slug for run in runs if run.owner == target.owner}
    told = {run.id for _, run in _fetched(project) if run is not None}
    for slug in sorted(slugs & set(target.kernels())):
        with held(project.push_lock(target.name, slug), wait=True):  # what is being pushed is not lost
            yield from _kernel(ledger, target, slug, told)


def _kernel(ledger: Ledger, target: Target, slug: str, told: Collection[str]) -> Iterator[Problem]:
    """`told` are runs that were found in results/."""
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
            run = _from_kernel(target, slug, version, text, created_at=_iso(above))
            if run is not None:
                yield Problem(
                    f"{where} is of run {run_id}, which the ledger does not have",
                    "add the run, from its kernel: coord status finds out how it stands",
                    partial(ledger.replace, run),
                )
        elif known.version is None and (known.state is RunState.PUSHING or known.message == NEVER_ARRIVED):
            yield Problem(
                f"{where} is of run {run_id}, which is {known.state}",
                "adopt the version",
                partial(
                    ledger.update,
                    known.id,
                    state=RunState.QUEUED,
                    version=version,
                    url=target.url(target.owner, slug),
                    pushed_at=now(),
                    ended_at=None,
                    message="",
                ),
            )
        else:
            yield Problem(
                f"{where} is of run {run_id}, too, which is {known.label}",
                "a second session of one push: see whether it runs, on the kernel's page",
            )


def _from_kernel(target: Target, slug: str, version: int, text: str, *, created_at: str) -> Run | None:
    """The run that pushed a kernel, as far as the kernel tells; None if it is none of coord's."""
    try:
        kernel = reader.read(text.encode("utf-8", "replace"), slug)
    except BundleError:
        return None
    is_notebook = text.lstrip().startswith("{")
    return Run(
        id=kernel.stamp["run"],
        experiment=kernel.experiment,
        target=target.name,
        owner=target.owner,
        slug=slug,
        version=version,
        url=target.url(target.owner, slug),
        digest=kernel.stamp.get("digest", kernel.digest),
        git=kernel.stamp.get("git"),
        config=kernel.config or {},
        metadata={
            "id": f"{target.owner}/{slug}",
            "code_file": "kernel.ipynb" if is_notebook else "kernel.py",
            "kernel_type": "notebook" if is_notebook else "script",
        },
        overrides=[],
        files={file.path: file.sha256 for file in kernel.files},
        state=RunState.QUEUED,
        created_at=created_at,
    )


def _iso(time: datetime) -> str:
    return time.isoformat(timespec="seconds")
