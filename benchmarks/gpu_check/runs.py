"""What whole runs show: the loader's rate, the identity of the oracles, a continued run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial

from benchmarks.gpu_check.bench import Bench
from benchmarks.gpu_check.budget import Part, Row
from benchmarks.train_step import finish
from model_src.analysis.oracle import oracle_dice
from model_src.analysis.oracle_summary import RUNGS
from model_src.data.dataset import ChestXrays
from model_src.data.folds import make_folds, train_and_validation
from model_src.prediction.thresholds import Rule
from model_src.score import Scored
from model_src.training import OutOfTime, Run, train_fold
from model_src.training.checkpoint import load_checkpoint
from model_src.training.engine import on_device
from model_src.training.validation import evaluate

WORKERS = {1: "1 worker", 2: "2 workers", 4: "4 workers"}


def measure_loader(bench: Bench, until: float) -> Iterator[Row]:
    """Batches as a training gets them, on the device; without the start of the workers, which is told beside."""
    run = bench.run("loader", bench.config(bench.size.edge))
    data = run.data
    finish(run.device)  # CUDA starts here, and not in the first batch
    xrays = ChestXrays(data.train, data.labels, [n % len(data.train.ids) for n in range(bench.size.loaded)])
    for workers, name in WORKERS.items():
        if time.monotonic() > until:
            return
        config = replace(run.config, data=replace(run.config.data, num_workers=workers))
        begun = time.perf_counter()
        batches = iter(replace(run, config=config).batches(xrays))
        on_device(next(batches), run.device)
        finish(run.device)
        first = time.perf_counter()
        count = sum(len(on_device(batch, run.device)[0]) for batch in batches)
        finish(run.device)
        taken = time.perf_counter() - first
        yield Row(name, count / taken, "images/s", note=f"the first batch after {first - begun:.2f} s")


def trained(run: Run) -> list[Scored]:
    """Train the fold; returns the predictions for its validation images."""
    train, validation = train_and_validation(run.data, make_folds(run.config, run.data), 0)
    return train_fold(run, 0, train, validation)


ORACLES = {
    amp: (
        f"train.amp: {amp}, images whose baseline is not the prediction",
        f"train.amp: {amp}, least dice with all oracles",
    )
    for amp in ("off", "auto")
}


def measure_oracle(bench: Bench, until: float) -> Iterator[Row]:
    """Without oracles the result is the model's own prediction, with all of them the truth."""
    run = bench.run("oracle", bench.config(bench.size.trained))
    trained(run)
    _, validation = train_and_validation(run.data, make_folds(run.config, run.data), 0)
    model = run.kept_model(0)
    for amp, (identity, perfect) in ORACLES.items():
        if time.monotonic() > until:
            return
        kind = replace(run.config.train, amp="auto" if amp == "auto" else "off")
        here = replace(run, config=replace(run.config, train=kind))
        own = {each.image_id: each for each in evaluate(here, model, 0, validation)}
        batches = here.batches(ChestXrays(run.data.train, run.data.labels, validation))
        rule = Rule.of(run.config.predict)
        found = list(oracle_dice(model, batches, run.data, rule, run.device, here.autocast))
        other = 0
        for each in found:
            scored = own[each.baseline.image_id]
            expected = scored.dice, scored.truth_area, scored.predicted_area
            other += expected != (each.baseline.dice, each.baseline.truth_area, each.baseline.predicted_area)
        masks = sum(each.predicted_area > 0 for each in own.values())
        note = f"{len(found)} images, {masks} with a predicted mask"
        yield Row(identity, other, "images", "failed" if other or len(found) != len(own) else "passed", note)
        least = min(each.dice[RUNGS[-1]] for each in found)
        yield Row(perfect, least, "dice", "passed" if least == 1 else "failed")


CONTINUED, REPEATED = "continued and whole run", "repeated and first run"


def measure_resume(bench: Bench, until: float, *, deterministic: bool) -> Iterator[Row]:
    """A run that was stopped and continued, and a run that was repeated, against a whole run: the fold's weights."""
    name = "deterministic" if deterministic else "usual"
    steps = bench.config(bench.size.trained, train={"deterministic": deterministic, "stop_after_steps": 1})
    whole = replace(steps, train=replace(steps.train, stop_after_steps=None))
    trained(bench.run(f"{name}-whole", whole))
    stopped = bench.run(f"{name}-stopped", steps)
    with suppress(OutOfTime):
        trained(stopped)
        raise RuntimeError("the run was not stopped after its first step")
    resumed = replace(whole, train=replace(whole.train, resume_from=str(stopped.output)))
    trained(bench.run(f"{name}-continued", resumed))
    yield difference(bench, CONTINUED, [f"{name}-whole", f"{name}-continued"], is_exact=deterministic)
    if time.monotonic() < until:
        trained(bench.run(f"{name}-repeated", whole))
        yield difference(bench, REPEATED, [f"{name}-whole", f"{name}-repeated"], is_exact=deterministic)


def difference(bench: Bench, what: str, names: list[str], *, is_exact: bool) -> Row:
    """The largest difference of a weight. On a processor, and with `is_exact`, there has to be none."""
    one, other = (load_checkpoint(bench.root / name / "fold0.pth")["model"] for name in names)
    equal = sum(one[name].numpy().tobytes() == other[name].numpy().tobytes() for name in one)
    largest = max(float((one[name].double() - other[name].double()).abs().max()) for name in one)
    note = "equal bit for bit" if equal == len(one) else f"{len(one) - equal} of {len(one)} tensors differ"
    has_to = is_exact or bench.device == "cpu"
    return Row(
        what, largest, "largest", "measured" if not has_to else "passed" if equal == len(one) else "failed", note
    )


LOADER = Part("data loader", 0.12, tuple(WORKERS.values()), measure_loader)
ORACLE = Part("oracle", 0.1, tuple(name for names in ORACLES.values() for name in names), measure_oracle)
RESUME = Part("weights", 0.1, (CONTINUED, REPEATED), partial(measure_resume, deterministic=False))
RESUME_EXACTLY = Part(
    "weights, train.deterministic", 0.12, (CONTINUED, REPEATED), partial(measure_resume, deterministic=True)
)
