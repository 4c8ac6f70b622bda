"""Puts the runs of single folds together, as if one kernel had run them all: out-of-fold rows, metrics, their mean.

The result is a run like any other, of version 0 (Kaggle counts from 1), in `results/<experiment>/<target>-v0/`, but
that it has no kernel and no checkpoints: these are the folds'. What only the model source knows how to put together, as
a submission of what all folds' models predict, its own module does.
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
from coordinator.kernel import assemble, with_owner
from coordinator.ledger import MERGED, Ledger, Run, Sweep, find_experiment, new_run_id, now, run_of, sweeps_of
from coordinator.project import Project
from coordinator.results import RUN, SUMMARY, Kept, Results, Summary, identity, merge_summaries, read_summary
from coordinator.runs import Fetched, provenance
from coordinator.sweeps.merged_output import EVENTS, OOF, merged_events, merged_oof
from coordinator.target import RunState
from coordinator.workspace import Workspace

FOLDS = "folds.csv"


def groups(sweep: Sweep) -> dict[str, list[str]]:
    """Each experiment that was divided by folds, and the experiments of its folds, in their order."""
    found = defaultdict[str, list[str]](list)
    for member in sweep.members:
        if member.whole:
            found[member.whole].append(member.experiment)
    return dict(found)


def is_mergeable(project: Project, run: Run) -> bool:
    """Whether the files are here that no merge can do without; checkpoints may have been left out."""
    folder = project.results(run.experiment, run.target, run.results_version)
    return run.summary is not None and all((folder / name).is_file() for name in (SUMMARY, OOF))


def merge_fetched(
    workspace: Workspace, fetched: Sequence[Fetched]
) -> tuple[list[Fetched], list[tuple[CoordError, bool]]]:
    """Merges what the last fold has come in for, with the runs that were just fetched.

    Returns the merged runs, and what kept others from being merged; True where that may be a file that was left out.
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
            found = [run for run in runs if run is not None and run.state is RunState.COMPLETE and run.version]
            if len(found) < len(runs) or not all(is_mergeable(workspace.project, run) for run in found):
                continue
            known = workspace.ledger.runs(experiment=whole, target=sweep.target)
            moved = {each.run.id for each in fetched if each.size}
            if _is_merged(known, found) and moved.isdisjoint(run.id for run in found):
                continue
            try:
                run = merge(workspace, whole, found)
            except CoordError as error:
                refused.append((error, not all(run.fetched_at for run in found)))
            else:
                results = Results(workspace.project.results(whole, run.target, MERGED))
                merged.append(Fetched(run=run, directory=results.directory, files=results.names(), size=0))
    return merged, refused


def _is_merged(known: Sequence[Run], folds: Sequence[Run]) -> bool:
    """Whether one of the known runs was merged of just these."""
    ids = tuple(run.id for run in folds)
    return any(run.version == MERGED and run.reported.merged_ids == ids for run in known)


def fold_runs(ledger: Ledger, sweep: Sweep, whole: str) -> list[Run]:
    """The complete runs of all folds. Raises RunFailed if one is missing."""
    found = []
    for member in sweep.members:
        if member.whole != whole:
            continue
        run = run_of(ledger, sweep, member)
        if run is None or run.state is not RunState.COMPLETE:
            state = "not pushed yet" if run is None else str(run.state)
            raise RunFailed(
                f"{whole} cannot be merged: {member.experiment} is {state}", hint=f"coord sweep status {sweep.name}"
            )
        found.append(run)
    return found


def merge(workspace: Workspace, whole: str, runs: Sequence[Run]) -> Run:
    """The merged run of `whole`, whose folds' runs are fetched; the same one again if it was merged before.

    `say` is told what the project's own module has to say about it.

    Raises RunFailed if the runs don't fit together: other folds, images that are missing or come twice.
    """
    if any(run.files != runs[0].files for run in runs):
        raise RunFailed(f"{whole} cannot be merged: its folds were not run from the same files")
    workspace.say(f"merging the {len(runs)} folds of {whole}")
    with held(workspace.project.fetch_lock(f"{runs[0].target}-{whole}"), wait=True):
        return _merge(workspace, whole, runs)


def _merge(workspace: Workspace, whole: str, runs: Sequence[Run]) -> Run:
    folders = [workspace.project.results(run.experiment, run.target, run.results_version) for run in runs]
    summaries = [_summary(run, folder) for run, folder in zip(runs, folders, strict=True)]
    of_all = frozenset(workspace.project.settings.sweep.of_all_folds)
    oof = merged_oof(whole, folders, of_all)
    _check_folds(whole, folders)
    built = assemble(workspace.project, find_experiment(workspace.project, whole))
    known = [run for run in workspace.ledger.runs(experiment=whole, target=runs[0].target) if run.version == MERGED]
    run_id, moment = (known[0].id if known else new_run_id()), now()
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
        git=runs[0].git,
        version=MERGED,
        message=f"merged from {len(runs)} runs, one a fold",
        pushed_at=min((run.pushed_at for run in runs if run.pushed_at), default=None),
        ended_at=max((run.ended_at for run in runs if run.ended_at), default=None),
        fetched_at=moment,
        summary=summary,
    )
    with tempfile.TemporaryDirectory(prefix="coord-merge-") as folder:
        merged = Path(folder)
        text = json.dumps(summary.to_json(), indent=2, ensure_ascii=False)
        (merged / SUMMARY).write_text(text + "\n", encoding="utf-8")
        (merged / OOF).write_text(oof, encoding="utf-8", newline="")
        if events := merged_events(folders):
            (merged / EVENTS).write_text(events, encoding="utf-8")
        if (folders[0] / FOLDS).is_file():
            shutil.copy(folders[0] / FOLDS, merged)
        if (module := workspace.project.settings.sweep.merge) is not None:
            for line in _complete(workspace.project, module, whole, [merged, *folders]):
                workspace.say(f"{whole}: {line}")
            run = dataclasses.replace(run, summary=read_summary(merged / SUMMARY))
        results = Results(workspace.project.results(whole, run.target, MERGED))
        results.make_room(provenance(run, sweeps_of(workspace.ledger, run)))
        _replace(results, merged)
        workspace.ledger.replace(run)
    return run


def _complete(project: Project, module: str, whole: str, folders: Sequence[Path]) -> list[str]:
    """Lets the project's own module work out what comes of all folds together, and returns what it says.

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
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise RunFailed(
            f"{module} could not merge the folds of {whole}: {said[-1]}",
            hint="It is the project's own: [tool.coord.sweep] merge. It needs what the model source needs.",
        )
    return done.stdout.splitlines()


def _replace(results: Results, folder: Path) -> None:
    """Everything in the folder, noted as a fetch notes it, in place of what an earlier merge left."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    results.forget(results.fetched())
    for file in files:
        path, data = PurePosixPath(file.relative_to(folder).as_posix()), file.read_bytes()
        kept = Kept(len(data), hashlib.sha256(data).hexdigest())
        part = results.part_file(path, identity("merged", kept.size))
        shutil.copyfile(file, part)
        results.keep(path, part, kept)
    results.finish(complete=True)
    here = {RUN, *(str(file.relative_to(folder)) for file in files)}
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
        raise RunFailed(f"{run.label} has stopped before its end: its metrics are {summary.status or 'not complete'}")
    return summary


def _check_folds(whole: str, folders: Sequence[Path]) -> None:
    """Which image is in which fold must be the same in every run that says it."""
    said = {(folder / FOLDS).read_bytes() for folder in folders if (folder / FOLDS).is_file()}
    if len(said) > 1:
        raise RunFailed(
            f"{whole} cannot be merged: its runs divided the images into folds in different ways",
            hint="Were the runs made with other seeds, or on other data?",
        )
