"""The training program: cross-validate, predict out of fold, predict the test pictures, find the bottleneck, report.

    python -m model_src.train

Reads the config that `COORD_CONFIG` names (else the defaults), the data below `COORD_KAGGLE_ROOT` (else `/kaggle`),
and writes into the working directory: metrics.jsonl and metrics.json as it goes, folds.csv, fold<k>.pth, oof.csv,
submission.csv, and what was found out: thresholds.csv, oracle.csv, worst.png and worst/. The same seed on
the same machine gives the same numbers; a fold's don't depend on which others run. How much another seed changes is
what repeats say, which leave fold<k>.seed<s>.pth and oof.seed<s>.csv. With several graphics cards it runs as one
process a card; `torchrun -m model_src.train` does the same by hand.
"""

from __future__ import annotations

import contextlib
import functools
import os
import platform
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torchvision

from .analysis.explain import choose_rule, explain, passes
from .analysis.holdout import measure_holdout
from .config import Config, load, to_dict
from .data.dataset import ChestXrays
from .data.folds import FOLDS_HEADER, fold_rows, held_out, make_folds, train_and_validation
from .data.inputs import kaggle_root
from .data.load import load_data
from .data.rle import NO_MASK, encode
from .files import write_csv
from .network import build_model, find_weights
from .output import Report, blame, described, spread, summarize, write_oof, write_submission
from .prediction.fold_maps import TEST_MAPS, FoldMaps, Seen, write_maps
from .prediction.predict import VIEWS, predict
from .prediction.thresholds import Rule, grid
from .score import Scored, choose_presence, mean_dice
from .training import (
    ALONE,
    LoopTimer,
    OutOfTime,
    Run,
    Stop,
    World,
    carry_over,
    check_earlier,
    drop_progress,
    failures_noted,
    find_earlier,
    is_launched,
    join,
    launch,
    leave,
    processes,
    train_fold,
)

OUTPUT = Path()
"""A kernel's output is whatever lies in its working directory."""
CPU = torch.device("cpu")


def main() -> int:
    """Run the experiment that the environment names, in as many processes as it wants."""
    given = os.environ.get("COORD_CONFIG")
    path = Path(given) if given else None
    if not is_launched() and (count := wanted_processes(path)) > 1:
        code, error = launch("model_src.train", count)
        if error:
            blame(OUTPUT, error)
        return code
    world, device = join()
    # A session that is asked to end should leave its report behind, like one that fails.
    stop = Stop()
    stop.listen(at_once=world.is_first)
    identity = {
        "experiment": os.environ.get("COORD_EXPERIMENT", "unbundled"),
        "run_id": os.environ.get("COORD_RUN_ID", "unbundled"),
        "digest": os.environ.get("COORD_BUNDLE_DIGEST", "unbundled"),
    }
    try:
        with failures_noted(world, described), output_of(world) as output, Report(output, **identity) as report:
            try:
                run_experiment(prepare(load(path), report, stop, output, world, device))
            except OutOfTime as reason:
                report.incomplete(str(reason))
    except RuntimeError:
        # The first process has left because it was asked to, and says so itself.
        if stop.is_asked and not world.is_first:
            return 128 + signal.SIGTERM
        raise
    leave(world)
    return 0


@contextlib.contextmanager
def output_of(world: World) -> Iterator[Path]:
    """Where this process writes: all of them do the same, and the first one's files and lines are kept."""
    if world.is_first:
        yield OUTPUT
        return
    with (
        tempfile.TemporaryDirectory(prefix="coord-process-") as folder,
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),
    ):
        yield Path(folder)


def wanted_processes(path: Path | None) -> int:
    """How many should share the run; one for a config that can't be read, so that there is a report of that."""
    try:
        return processes(load(path).train)
    except (OSError, ValueError):
        return 1


def run_experiment(run: Run) -> None:
    """The whole experiment, or, if its time is over before, the first part of it."""
    config, data, report, output = run.config, run.data, run.report, run.output
    fold_of = make_folds(config, data)
    write_csv(output / "folds.csv", FOLDS_HEADER, fold_rows(data, fold_of))
    folds = config.folds.run or range(config.folds.n)
    out_of_fold = cross_validate(run, fold_of)
    report.message(run.timer.profile()["text"])
    held, views = held_out(data, fold_of), VIEWS[config.predict.tta]
    require_time(
        run,
        "choosing the rule and predicting the test pictures",
        len(out_of_fold) * sum(VIEWS[tta] for tta in passes(config).values())
        + (len(held) + len(data.test.ids)) * len(folds) * views,
        again=len(out_of_fold) * views,
    )

    with report.stage("choose"):
        choice = choose_rule(run, out_of_fold)
    write_oof(output / "oof.csv", out_of_fold, choice)
    summarize(config, out_of_fold, report, choice)

    if held:
        with report.stage("holdout"):
            measure_holdout(run, held, folds, choice.rule)

    with report.stage("predict"):
        presence = choose_presence(out_of_fold)[0] if config.predict.choose_presence else 0.0
        rule = choice.rule if config.predict.choose else Rule.of(config.predict)
        masks = predict_test(run, folds, rule, presence)
        shapes = dict(zip(data.test.ids, data.test.shapes, strict=True))
        write_submission(output / "submission.csv", masks, shapes, data.test.skipped)

    # After these, because a session that ends in it has everything that is submitted.
    with report.stage("explain"):
        explain(run, out_of_fold)

    # Last, because a session that ends in them has everything else.
    dice = {config.seed: mean_dice(out_of_fold)}
    for seed in range(config.seed + 1, config.seed + config.repeat):
        dice[seed] = mean_dice(cross_validate(run.repeated(seed), fold_of, before=len(dice) * len(out_of_fold)))
        report.update(repeats=spread("cv/dice", "max", dice))
    drop_progress(output)


def cross_validate(run: Run, fold_of: Mapping[str, int], *, before: int = 0) -> list[Scored]:
    """Train each fold and predict its pictures; out-of-fold rows and, of the first repeat, figures as they come.

    `before` are the pictures that the repeats before this one have predicted out of fold.
    """
    config, data, report = run.config, run.data, run.report
    folds = config.folds.run or range(config.folds.n)
    views = VIEWS[config.predict.tta]
    out_of_fold: list[Scored] = []
    for fold in folds:
        train, validation = train_and_validation(data, fold_of, fold)
        if run.extra_seed is not None:
            require_time(run, run.name(fold), len(validation) * views, again=(before + len(out_of_fold)) * views)
        scored = train_fold(run, fold, train, validation)
        out_of_fold += scored
        report.update(profile=run.timer.profile())
        write_oof(run.output / f"oof{run.suffix}.csv", out_of_fold)
        if run.extra_seed is None:
            summarize(config, out_of_fold, report)
        report.fold(fold=fold, folds=len(folds), seed=run.extra_seed, metrics={"cv/dice": mean_dice(scored)})
    return out_of_fold


def prepare(
    config: Config,
    report: Report,
    stop: Stop,
    output: Path = OUTPUT,
    world: World = ALONE,
    device: torch.device = CPU,
) -> Run:
    """Everything that a run needs, found and read."""
    stop.limit(seconds=config.train.time_limit_seconds, steps=config.train.stop_after_steps)
    report.update(config=to_dict(config), versions=versions(), devices=world.gather([device_name(device)]))
    # From here on the parts are a number: whoever continues the run has to divide the batches in the same way.
    parts = config.train.micro_batches or world.size
    config = replace(config, train=replace(config.train, micro_batches=parts))
    new_model = functools.partial(
        build_model,
        config.model,
        config.proposals,
        image_size=config.data.image_size,
        weights=world.first(lambda: find_weights(config.model, root=kaggle_root(), say=report.message)),
        # All models of a run take over the same: said once.
        say=functools.cache(report.message),
    )
    # Weights that don't fit end the run here, not after the pictures were read.
    new_model()
    earlier = find_earlier(config.train.resume_from, root=kaggle_root(), say=report.message)
    if earlier is not None:
        check_earlier(earlier, config)
    with report.stage("data"):
        data = world.first(lambda: load_data(config.data, root=kaggle_root(), say=report.message))
    report.update(counts=data.counts)
    return Run(
        config=config,
        data=data,
        device=device,
        report=report,
        stop=stop,
        timer=LoopTimer(device),
        output=output,
        new_model=new_model,
        earlier=earlier,
        world=world,
    )


def require_time(run: Run, what: str, views: int, *, again: int) -> None:
    """Leave the run before something for which there is no time; the arguments are those of `Run.why_no_time`."""
    if reason := run.why_no_time(views, again=again):
        run.report.update(stopped={"reason": reason})
        carry_over(run.earlier, run.output)
        run.stop.leave(f"stopped before {what}: {reason}")


def predict_test(run: Run, folds: Sequence[int], rule: Rule, presence: float) -> list[tuple[str, str]]:
    """ImageId and encoded mask of every test picture, blank below the score for presence.

    By the folds' mean, or by the best of them.
    """
    test, config, chosen = run.data.test, run.config, run.predicting(folds)
    models = [run.kept_model(fold) for fold in chosen]
    batches = run.batches(ChestXrays(test, {}, range(len(test.ids))))
    plain = Rule.of(config.predict)
    scores = grid(config.evaluate, plain)[0] if config.predict.choose else (plain.score,)
    masks: dict[int, str] = {}
    seen: dict[int, Seen] = {}
    for each in predict(models, batches, tta=config.predict.tta, device=run.device):
        image_id, shape, top_score = test.ids[each.index], test.shapes[each.index], each.top_score
        masks[each.index] = encode(each.mask(shape, rule)) if top_score >= presence else NO_MASK
        if config.folds.run:
            seen[each.index] = Seen(image_id, shape, top_score, tuple(each.crops(scores)))
    if config.folds.run:
        # The folds' mean comes of all folds' runs, once they are merged.
        value, ordered = run.value(run.best_fold(chosen)), sorted(run.world.gather(seen.items()))
        pictures = tuple(picture for _, picture in ordered)
        write_maps(
            run.output / TEST_MAPS, FoldMaps(scores, test.size, len(models), value, tuple(test.skipped), pictures)
        )
    return [(test.ids[index], code) for index, code in sorted(run.world.gather(masks.items()))]


def versions() -> dict[str, str | None]:
    """Of what the numbers depend on."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "numpy": np.__version__,
        "image": os.environ.get("KAGGLE_DOCKER_IMAGE"),
    }


def device_name(device: torch.device) -> str:
    """The graphics card's name, or "cpu"."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


if __name__ == "__main__":
    sys.exit(main())
