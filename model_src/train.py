"""The training program: cross-validation, out-of-fold predictions, test predictions, analysis, report.

    python -m model_src.train

Reads the config that `COORD_CONFIG` names (else the defaults), the data below `COORD_KAGGLE_ROOT` (else `/kaggle`),
and writes into the working directory: metrics.jsonl and metrics.json during the run, folds.csv, fold<k>.pth, oof.csv,
submission.csv, thresholds.csv, oracle.csv, worst.png and worst/. The same seed on the same CPU gives the same numbers
(on a GPU nearly the same, see `train.deterministic`); those of a fold do not depend on which other folds run. Repeats
measure the influence of the seed and leave fold<k>.seed<s>.pth and oof.seed<s>.csv. With several graphics cards there
is one process per card; `torchrun -m model_src.train` does the same by hand.
"""

from __future__ import annotations

import contextlib
import functools
import gc
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
from torch import nn

from .analysis.ablation import rule_for_test
from .analysis.explain import choose_rule, explain, passes
from .analysis.holdout import measure_holdout
from .config import Config, load, to_dict
from .data.dataset import ChestXrays
from .data.folds import (
    FOLDS_HEADER,
    fold_rows,
    holdout_positions,
    make_folds,
    train_and_validation,
    without_placeholders,
)
from .data.inputs import kaggle_root
from .data.load import load_data
from .data.rle import NO_MASK, encode
from .files import write_csv
from .network import build_model, find_weights
from .output import Report, described, replace_error, spread, summarize, write_oof, write_submission
from .prediction.fold_maps import TEST_MAPS, FoldMaps, ImageMaps, write_maps
from .prediction.predict import VIEWS, predict
from .prediction.thresholds import Rule, summary as choice_summary
from .score import Scored, choose_presence, mean_dice
from .training import (
    SINGLE_PROCESS,
    LoopTimer,
    OutOfTime,
    Run,
    Stop,
    World,
    carry_over,
    check_earlier,
    check_folds,
    check_own_weights,
    compute_deterministically,
    drop_progress,
    find_earlier,
    is_launched,
    join,
    launch,
    leave,
    processes,
    recorded_failures,
    train_fold,
)

OUTPUT = Path()
"""The output of a kernel is the content of its working directory."""
CPU = torch.device("cpu")
NEVER_MIRRORED = (
    "predict.tta: hflip, but augment.preset is none: the models were never trained on a mirrored image, so this may "
    "lower the score; augment.preset: little mirrors, and the table of settings shows what predict.tta is worth"
)


def main() -> int:
    """Run the experiment that the environment names, in one process or several; returns the exit code."""
    # What is loaded now stays until the end. To look through it once more then, for what could be freed, takes longer
    # than half a second.
    gc.freeze()
    given = os.environ.get("COORD_CONFIG")
    path = Path(given) if given else None
    if not is_launched() and (count := wanted_processes(path)) > 1:
        code, error = launch("model_src.train", count)
        if error:
            replace_error(OUTPUT, error)
        return code
    world, device = join()
    # A session that gets a request to stop should write its report, as after a failure.
    stop = Stop()
    stop.listen(at_once=world.is_first)
    identity = {
        "experiment": os.environ.get("COORD_EXPERIMENT", "unbundled"),
        "run_id": os.environ.get("COORD_RUN_ID", "unbundled"),
        "digest": os.environ.get("COORD_BUNDLE_DIGEST", "unbundled"),
    }
    try:
        with recorded_failures(world, described), output_of(world) as output, Report(output, **identity) as report:
            try:
                run_experiment(prepare(load(path), report, stop, output, world, device))
            except OutOfTime as reason:
                report.incomplete(str(reason))
    except RuntimeError:
        # The first process has stopped after a request, and reports that itself.
        if stop.is_asked and not world.is_first:
            return 128 + signal.SIGTERM
        raise
    leave(world)
    return 0


@contextlib.contextmanager
def output_of(world: World) -> Iterator[Path]:
    """The output folder of this process. All processes write the same files; only those of the first are kept."""
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
    """The number of processes; 1 for a config that cannot be read, so that this process reports the error."""
    try:
        return processes(load(path).train)
    except (OSError, ValueError):
        return 1


def run_experiment(run: Run) -> None:
    """Run the whole experiment. Raises OutOfTime when its limits stop it before."""
    config, data, report, output = run.config, run.data, run.report, run.output
    fold_of = make_folds(config, data)
    write_csv(output / "folds.csv", FOLDS_HEADER, fold_rows(data, fold_of))
    check_folds(config, data, fold_of)
    check_own_weights(run, fold_of)
    if config.predict.tta == "hflip" and config.augment.preset == "none":
        report.message(NEVER_MIRRORED)
    folds = config.folds.run or range(config.folds.n)
    out_of_fold = cross_validate(run, fold_of)
    report.message(run.timer.profile()["text"])
    held, views = holdout_positions(data, fold_of), VIEWS[config.predict.tta]
    require_time(
        run,
        "choosing the rule and predicting the test images",
        len(out_of_fold) * sum(VIEWS[tta] for tta in passes(config).values())
        + (len(held) + len(data.test.ids)) * len(folds) * views,
        again=len(out_of_fold) * views,
    )

    with report.stage("choose"):
        choice = choose_rule(run, out_of_fold)
    write_oof(output / "oof.csv", out_of_fold, choice)
    summarize(config, out_of_fold, report, choice)

    held_rule = None
    if held:
        with report.stage("holdout"):
            held_rule = measure_holdout(run, held, folds, choice.rule)

    with report.stage("predict"):
        presence = choose_presence(out_of_fold)[0] if config.predict.choose_presence else 0.0
        chosen = rule_for_test(config, len(run.predicting(folds)), choice.rule, held_rule)
        report.update(choice=choice_summary(choice, chosen.rule, chosen.chosen_on))
        if chosen.warning:
            report.message(chosen.warning)
        masks = predict_test(run, folds, chosen.rule, presence)
        shapes = dict(zip(data.test.ids, data.test.shapes, strict=True))
        write_submission(output / "submission.csv", masks, shapes, data.test.skipped)

    # After the submission, because a session that is stopped here has all results that are needed for it.
    with report.stage("explain"):
        explain(run, out_of_fold)
    run.models.clear()  # the repeats need the memory of the device

    # Last, because a session that is stopped here has all other results.
    dice = {config.seed: mean_dice(out_of_fold)}
    for seed in range(config.seed + 1, config.seed + config.repeat):
        dice[seed] = mean_dice(cross_validate(run.repeated(seed), fold_of, before=len(dice) * len(out_of_fold)))
        report.update(repeats=spread("cv/dice", "max", dice))
    drop_progress(output)


def cross_validate(run: Run, fold_of: Mapping[str, int], *, before: int = 0) -> list[Scored]:
    """Train each fold and predict its validation images; writes oof.csv and, in the first repeat, metrics after each.

    `before` is the number of images that the earlier repeats have predicted.
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
    world: World = SINGLE_PROCESS,
    device: torch.device = CPU,
) -> Run:
    """Find and read everything that a run needs."""
    if not is_launched():
        processes(config.train)  # the error that `wanted_processes` left for the report
    compute_deterministically(config.train)
    stop.limit(seconds=config.train.time_limit_seconds, steps=config.train.stop_after_steps)
    report.update(config=to_dict(config), versions=versions(), devices=world.gather([device_name(device)]))
    # From here on the number of parts is fixed, because a continued run has to divide its batches in the same way.
    parts = config.train.micro_batches or world.size
    config = replace(config, train=replace(config.train, micro_batches=parts))
    # The same message for every model of the run, so it is printed once.
    say = functools.cache(report.message)
    folds = config.folds.run or range(config.folds.n)
    weights = world.first(
        lambda: {fold: find_weights(config.model, root=kaggle_root(), say=say, fold=fold) for fold in folds}
    )

    def new_model(fold: int) -> nn.Module:
        path, size = weights[fold], config.data.image_size
        return build_model(config.model, config.proposals, image_size=size, weights=path, say=say)

    if weights[folds[0]] is not None:
        new_model(folds[0])  # weights that do not fit end the run here, before the images are read
    earlier = find_earlier(config.train.resume_from, root=kaggle_root(), say=report.message)
    if earlier is not None:
        check_earlier(earlier, config)
    with report.stage("data"):
        data = world.first(lambda: load_data(config.data, root=kaggle_root(), say=report.message))
        data = without_placeholders(data, config, report.message)
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
        weights=weights,
        earlier=earlier,
        world=world,
    )


def require_time(run: Run, what: str, views: int, *, again: int) -> None:
    """Leave the run if there is no time for `what`; the other arguments are those of `Run.why_no_time`."""
    if reason := run.why_no_time(views, again=again):
        run.report.update(stopped={"reason": reason})
        carry_over(run.earlier, run.output)
        run.stop.leave(f"stopped before {what}: {reason}")


def predict_test(run: Run, folds: Sequence[int], rule: Rule, presence: float) -> list[tuple[str, str]]:
    """(ImageId, encoded mask) of every test image; the mask is empty if the top score is below `presence`.

    The prediction is the mean of all folds, or that of the best fold; see predict.folds.
    """
    test, config, chosen = run.data.test, run.config, run.predicting(folds)
    models = [run.kept_model(fold) for fold in chosen]
    batches = run.batches(ChestXrays(test, {}, range(len(test.ids))))
    masks: dict[int, str] = {}
    seen: dict[int, ImageMaps] = {}
    for each in predict(models, batches, tta=config.predict.tta, device=run.device, autocast=run.autocast):
        image_id, shape = test.ids[each.index], test.shapes[each.index]
        masks[each.index] = encode(each.mask(shape, rule)) if each.top_score >= presence else NO_MASK
        if config.folds.run:
            seen[each.index] = ImageMaps(image_id, shape, each.views)
    if config.folds.run:
        # The mean of all folds is computed when the runs of single folds are merged.
        value, ordered = run.value(run.best_fold(chosen)), sorted(run.world.gather(seen.items()))
        pictures = tuple(picture for _, picture in ordered)
        write_maps(run.output / TEST_MAPS, FoldMaps(test.size, value, tuple(test.skipped), pictures))
    return [(test.ids[index], code) for index, code in sorted(run.world.gather(masks.items()))]


def versions() -> dict[str, str | None]:
    """The versions of everything that the results depend on."""
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
