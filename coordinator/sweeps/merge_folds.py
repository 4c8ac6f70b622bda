"""Merges the runs of single folds, as if one kernel had run them all: out-of-fold rows, metrics and their mean.

The result is a run like any other, in `results/<experiment>/<target>-v0/`, but without a kernel and checkpoints: the
runs of the folds have these. What only the model source can merge, as the submission of all folds' models, its own
module merges.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from coordinator.errors import CoordError, RunFailed
from coordinator.files import held
from coordinator.ledger import Ledger, Run, Sweep, find_experiment, new_run_id, run_of, sweeps_of
from coordinator.progress import Count
from coordinator.project import Project
from coordinator.results import RUN, SUMMARY, Kept, Results, Summary, identity, merge_summaries, read_summary
from coordinator.runs import Fetched, provenance
from coordinator.sweeps.merged_output import EVENTS, OOF, merged_events, merged_oof
from coordinator.target import RunState, recorded_abilities
from coordinator.workspace import Workspace

FOLDS = "folds.csv"
_STEPS = 4
"""For each fold its summary, its out-of-fold rows and its events are read, and what came of it is written."""


def groups(sweep: Sweep) -> dict[str, list[str]]:
    """Each experiment that was split by folds -> the experiments of its folds, in their order."""
    found = defaultdict[str, list[str]](list)
    for member in sweep.members:
        if member.whole:
            found[member.whole].append(member.experiment)
    return dict(found)


def is_mergeable(project: Project, run: Run) -> bool:
    """Whether the files that a merge needs are fetched (checkpoints are not needed)."""
    folder = project.results(run.experiment, run.target, run.results_version)
    return run.summary is not None and all((folder / name).is_file() for name in (SUMMARY, OOF))


def merge_fetched(
    workspace: Workspace, fetched: Sequence[Fetched]
) -> tuple[list[Fetched], list[tuple[CoordError, bool]]]:
    """Merges the split experiments whose last fold was just fetched.

    Returns the merged runs, and the errors of the others; True with an error if an unfetched file may be the reason.
    """
    merged: list[Fetched] = []
    refused: list[tuple[CoordError, bool]] = []
    asked = set[tuple[str, str]]()
    for item in fetched:
        for sweep in sweeps_of(workspace.ledger, item.run):
            whole = next((each.whole for each in sweep.members if each.experiment == item.run.experiment), "")
            if not whole or (sweep.name, whole) in asked:
                continue
            asked.add((sweep.name, whole))
            runs = [run_of(workspace.ledger, sweep, each) for each in sweep.members if each.whole == whole]
            found = [run for run in runs if run is not None and run.state is RunState.COMPLETE and run.has_kernel]
            if len(found) < len(runs) or not all(is_mergeable(workspace.project, run) for run in found):
                continue
            known = workspace.ledger.runs(experiment=whole, target=sweep.target, hidden=True)
            moved = {each.run.id for each in fetched if each.size}
            if _is_merged(known, found) and moved.isdisjoint(run.id for run in found):
                continue
            try:
                run = merge(workspace, whole, found)
            except CoordError as error:
                refused.append((error, not all(run.fetched_at for run in found)))
            else:
                results = Results(workspace.project.results(whole, run.target, run.results_version))
                merged.append(Fetched(run=run, directory=results.directory, files=results.names(), size=0))
    return merged, refused


def _is_merged(known: Sequence[Run], folds: Sequence[Run]) -> bool:
    """Whether one of the known runs was merged from exactly these."""
    ids = tuple(run.id for run in folds)
    return any(run.is_merged and run.reported.merged_ids == ids for run in known)


def fold_runs(ledger: Ledger, sweep: Sweep, whole: str) -> list[Run]:
    """The complete runs of all folds. Raises RunFailed if one is missing."""
    found = []
    for member in sweep.members:
        if member.whole != whole:
            continue
        run = run_of(ledger, sweep, member)
        if run is None or run.state is not RunState.COMPLETE:
            state = "is not pushed yet" if run is None else run.state.phrase
            raise RunFailed(
                f"{whole} cannot be merged: {member.experiment} {state}", hint=f"coord sweep status {sweep.name}"
            )
        found.append(run)
    return found


def merge(workspace: Workspace, whole: str, runs: Sequence[Run]) -> Run:
    """The merged run of `whole`, whose folds' runs are fetched; the same one again if it was merged before.

    The output of the project's own module goes to `say`.

    Raises RunFailed if the runs don't fit together: other folds, images that are missing or come twice.
    """
    if any(run.files != runs[0].files for run in runs):
        raise RunFailed(f"{whole} cannot be merged: its folds were not run from the same files")
    workspace.say(f"merging the {len(runs)} folds of {whole}")
    count = Count(f"merging {whole}", _STEPS * len(runs))
    lock = workspace.project.fetch_lock(f"{runs[0].target}-{whole}")
    with held(lock, wait=True), workspace.progress(count):
        return _merge(workspace, whole, runs, count)


def _merge(workspace: Workspace, whole: str, runs: Sequence[Run], count: Count) -> Run:
    # Imported here: it loads the template engine, which a fetch without folds does not need.
    from coordinator.kernel import assemble, with_owner

    folders = [workspace.project.results(run.experiment, run.target, run.results_version) for run in runs]
    summaries = [_summary(run, folder) for run, folder in count.each(list(zip(runs, folders, strict=True)))]
    of_all = frozenset(workspace.project.settings.sweep.of_all_folds)
    oof = merged_oof(whole, count.each(folders), of_all)
    _check_folds(whole, folders, workspace.project.settings.metrics.rows)
    built = assemble(
        workspace.project,
        find_experiment(workspace.project, whole),
        workspace.progress,
        for_kaggle=recorded_abilities(runs[0].target) is not None,
    )
    known = [
        run for run in workspace.ledger.runs(experiment=whole, target=runs[0].target, hidden=True) if run.is_merged
    ]
    run_id, moment = (known[0].id if known else new_run_id()), workspace.ledger.moment()
    summary = merge_summaries(
        summaries,
        of_all,
        experiment=whole,
        run_id=run_id,
        digest=built.script.digest,
        config=built.experiment.config,
        merged=[run.label for run in runs],
        merged_ids=[run.id for run in runs],
    )
    metadata = with_owner(built.metadata, runs[0].owner)
    run = Run(
        id=run_id,
        experiment=whole,
        target=runs[0].target,
        owner=runs[0].owner,
        slug=metadata.slug,
        digest=built.script.digest,
        config=built.experiment.config,
        metadata=metadata.data,
        overrides=list(built.experiment.overrides),
        state=RunState.COMPLETE,
        created_at=moment,
        files=runs[0].files,
        launch=runs[0].launch,
        git=runs[0].git,
        message=f"merged from {len(runs)} runs, one a fold",
        pushed_at=min((run.pushed_at for run in runs if run.pushed_at), default=None),
        ended_at=max((run.ended_at for run in runs if run.ended_at), default=None),
        fetched_at=moment,
        summary=summary,
    ).as_merged()
    with tempfile.TemporaryDirectory(prefix="coord-merge-") as folder:
        merged = Path(folder)
        text = json.dumps(summary.to_json(), indent=2, ensure_ascii=False)
        (merged / SUMMARY).write_text(text + "\n", encoding="utf-8", newline="\n")
        (merged / OOF).write_text(oof, encoding="utf-8", newline="")
        if events := merged_events(folders):
            (merged / EVENTS).write_text(events, encoding="utf-8", newline="\n")
        count.advance(len(runs))
        if (folders[0] / FOLDS).is_file():
            shutil.copy(folders[0] / FOLDS, merged)
        if (module := workspace.project.settings.sweep.merge) is not None:
            with workspace.progress(Count(f"merging {whole} with {module}")):
                lines = _complete(workspace.project, module, whole, [merged, *folders])
            for line in lines:
                workspace.say(f"{whole}: {line}")
            run = dataclasses.replace(run, summary=read_summary(merged / SUMMARY))
        results = Results(workspace.project.results(whole, run.target, run.results_version))
        results.make_room(provenance(run, sweeps_of(workspace.ledger, run)))
        _replace(results, merged)
        workspace.ledger.replace(run)
    return run


def _complete(project: Project, module: str, whole: str, folders: Sequence[Path]) -> list[str]:
    """Runs the project's own module on the folders of all folds; returns the lines of its output.

    Raises RunFailed.
    """
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, folders)],
        cwd=project.root,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        reason = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise RunFailed(
            f"{module} could not merge the folds of {whole}: {reason[-1]}",
            hint="It is the project's own: [tool.coord.sweep] merge. It needs what the model source needs.",
        )
    return done.stdout.splitlines()


def _replace(results: Results, folder: Path) -> None:
    """Replaces the results of an earlier merge by the files of the folder, recorded as a fetch records them."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    results.forget(results.fetched())
    for file in files:
        path, data = PurePosixPath(file.relative_to(folder).as_posix()), file.read_bytes()
        kept = Kept(len(data), hashlib.sha256(data).hexdigest())
        part = results.part_file(path, identity("merged", kept.size))
        shutil.copyfile(file, part)
        results.keep(path, part, kept)
    results.finish(complete=True)
    here = {RUN, *(file.relative_to(folder).as_posix() for file in files)}
    for name in results.names():
        if name not in here:
            (results.directory / name).unlink()


def _summary(run: Run, folder: Path) -> Summary:
    summary = read_summary(folder / SUMMARY)
    if summary is None or not (folder / OOF).is_file():
        raise RunFailed(
            f"{run.label} has no {SUMMARY if summary is None else OOF} here",
            hint=f"coord fetch-results --exp {run.experiment} --version {run.version}",
        )
    if summary.status != "complete" or summary.primary_value is None:
        raise RunFailed(f"{run.label} did not finish: its metrics have the status {summary.status or 'not complete'}")
    return summary


def _check_folds(whole: str, folders: Sequence[Path], rows: str) -> None:
    """Raises RunFailed unless all runs divided the rows into the same folds."""
    divisions = {(folder / FOLDS).read_bytes() for folder in folders if (folder / FOLDS).is_file()}
    if len(divisions) > 1:
        raise RunFailed(
            f"{whole} cannot be merged: its runs divided the {rows} into folds in different ways",
            hint="Were the runs made with other seeds, or on other data?",
        )
