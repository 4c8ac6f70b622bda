"""Runs that are complete and fetched, made without a session: a row of the ledger, and oof.csv in results/."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from coordinator.ledger.ledger import Ledger, Run, new_run_id
from coordinator.project.experiment import resolve
from coordinator.project.project import Project
from coordinator.results.summary import Summary
from coordinator.target.protocol import RunState


def finished(
    project: Project,
    experiment: str,
    version: int,
    values: Sequence[float],
    *,
    folds: Sequence[int] = (),
    seed: int = 0,
    sets: Sequence[str] = (),
    metric: str = "cv/dice",
    mode: str = "max",
    repeats: Mapping[int, Sequence[float]] | None = None,
    has_oof: bool = True,
    **changes: Any,
) -> Run:
    """A run with these values of its images, named image-0 and so on, in two folds unless it is said otherwise.

    `repeats` are the values under further seeds of the same run. Returns what is in the ledger.
    """
    folds = folds or [at % 2 for at in range(len(values))]
    by_fold = {fold: [value for value, one in zip(values, folds, strict=True) if one == fold] for fold in folds}
    means = [fmean(each) for each in by_fold.values()]
    summary: dict[str, Any] = {
        "status": "complete",
        "primary": {"name": metric, "mode": mode, "value": fmean(values)},
        "metrics": [
            {
                "name": metric,
                "mode": mode,
                "folds": [{"fold": fold, "value": fmean(each), "n": len(each)} for fold, each in by_fold.items()],
                "mean": fmean(means),
                "sd": stdev(means) if len(means) > 1 else None,
                "n": len(values),
            }
        ],
    }
    if repeats:
        by_seed = {seed: fmean(values), **{other: fmean(those) for other, those in repeats.items()}}
        listed = [{"seed": each, "value": value} for each, value in by_seed.items()]
        summary["repeats"] = {"metric": metric, "mode": mode, "values": listed}
    run = Run(
        id=new_run_id(),
        experiment=experiment,
        target="local",
        owner="ada",
        slug=experiment,
        digest="sha256:0",
        config=resolve(project, "base", [f"seed={seed}", *sets]).config,
        metadata={},
        overrides=[],
        state=RunState.COMPLETE,
        created_at=f"2026-11-01T00:00:{version:02}+00:00",
        version=version,
        files={"tiny_model/train.py": "0" * 64},
        summary=Summary.parse(summary),
    )
    run = dataclasses.replace(run, **changes)
    with Ledger(project.ledger) as ledger:
        ledger.add(run)
    if has_oof:
        folder = project.results(experiment, run.target, version)
        folder.mkdir(parents=True)
        for name, those in {"oof.csv": values, **{f"oof.seed{s}.csv": v for s, v in (repeats or {}).items()}}.items():
            column = metric.rpartition("/")[2]
            rows = [f"image-{at},{fold},{value!r}" for at, (fold, value) in enumerate(zip(folds, those, strict=True))]
            (folder / name).write_text(f"ImageId,fold,{column}\n" + "".join(f"{row}\n" for row in rows))
        (folder / "run.json").write_text(json.dumps({"id": run.id}))
    return run
