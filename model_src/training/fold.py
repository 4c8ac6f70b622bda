"""One fold: train on its training images, validate on the others, keep the best epochs."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from ..data.dataset import ChestXrays
from ..data.load import Data
from ..identity import identify
from ..output import by_presence
from ..score import Scored, mean_dice
from .batching import count_steps
from .best_epochs import STORED, with_epoch
from .engine import EpochSteps, train_epoch
from .learner import new_learner
from .metric_logger import MetricLogger
from .resume import (
    FoldProgress,
    carry_over,
    drop_progress,
    finished_fold,
    restored_progress,
    save_fold,
    save_last,
    save_progress,
    unfinished_fold,
    whole_state,
)
from .run import Run
from .sampling import epoch_order, ratio_at
from .schedule import learning_rate
from .stopping import ASKED
from .validation import evaluate, mean_losses


def train_fold(run: Run, fold: int, train: Sequence[int], validation: Sequence[int]) -> list[Scored]:
    """Train on the images at the positions `train`, stop when the metric on `validation` stops improving.

    Goes on from what an earlier run left of this fold. Returns the predictions of the validation images by the weights
    that predict.weights names. Their epochs were chosen on the same pictures, so their dice is a little too good.
    Raises OutOfTime or SystemExit after a step when the run has to stop, with the state saved.
    """
    training = FoldTraining(run, fold, train, validation)
    model, report = training.learner.model, run.report
    weights = STORED[run.config.predict.weights]
    if finished := finished_fold(run.earlier, training.identity, run.output, report.message):
        report.message(f"{training.name} was finished before, after epoch {finished['history'][-1]['epoch']}")
        training.report_epochs(finished["history"])
        model.load_state_dict(finished[weights])
        with report.stage("evaluate"), run.stop.timed("evaluate"):
            return evaluate(run, model, fold, validation)

    if state := unfinished_fold(run.earlier, training.identity, report.message):
        training.restore(state)
        # The best epoch may lie in the fold's file, which the next better one replaces.
        training.save()
    with run.stop.deferred():
        best, finished = train_epochs(run, training)
    if best is None or run.config.predict.weights != "best":
        # The best epoch lies before the state that was gone on from, or what predicts is no epoch's weights.
        model.load_state_dict(finished[weights])
        with report.stage("evaluate"), run.stop.timed("evaluate"):
            best = evaluate(run, model, fold, validation)
    return best


def train_epochs(run: Run, training: FoldTraining) -> tuple[list[Scored] | None, dict[str, Any]]:
    """Train until the last epoch or until it doesn't get better; leaves the fold's file, and no state.

    Returns the best epoch's predictions, None if it was none of these, and what is in the fold's file.
    """
    settings, progress = run.config.train, training.progress
    best: list[Scored] | None = None
    while progress.epoch <= settings.epochs:
        epoch = progress.epoch
        is_evaluated = epoch == settings.epochs or epoch % settings.evaluate_every == 0
        metrics = training.epoch(is_evaluated=is_evaluated)
        if is_evaluated:
            scored, measured = training.evaluate()
            metrics |= measured
            progress.since_best += 1
            value, most = metrics[settings.monitor], settings.average_best
            progress.best = with_epoch(
                progress.best, epoch, value, training.learner.model, most=most, mode=settings.monitor_mode
            )
            if progress.best[0].epoch == epoch:
                best, progress.since_best = scored, 0
                save_fold(run.output, progress, training.identity, is_finished=False)
        progress.history.append({"epoch": epoch, "step": progress.steps, "metrics": metrics})
        training.report_epochs(progress.history[-1:])
        progress.epoch, progress.step, progress.sums = epoch + 1, 0, {}
        if settings.patience and progress.since_best >= settings.patience:
            figure = f"{settings.monitor} of {progress.best[0].value:.4f}"
            run.report.message(f"{training.name} stops after epoch {epoch}: no better {figure}")
            break
    # Before the fold is finished on disk: a finished one is not trained on to its end once more.
    if not save_last(run.output, training.state(), gib=settings.keep_state_gib) and settings.keep_state_gib:
        run.report.message(
            f"{training.name} leaves no state for more epochs: train.keep_state_gib is {settings.keep_state_gib:g}"
        )
    finished = save_fold(
        run.output, progress, training.identity, is_finished=True, is_averaged=settings.average_best > 1
    )
    drop_progress(run.output)
    return best, finished


class FoldTraining:
    """The state of a fold's training, and what is done to it: an epoch, an evaluation, a save."""

    def __init__(self, run: Run, fold: int, train: Sequence[int], validation: Sequence[int]) -> None:
        """A new model at its start. Raises ValueError when there is nothing to train on or to validate."""
        self.run = run
        self.fold = fold
        self.name = run.name(fold)
        self.validation = validation
        self.positives = [index for index in train if run.data.is_positive(index)]
        self.negatives = [index for index in train if not run.data.is_positive(index)]
        if not self.positives or not validation:
            raise ValueError(
                f"fold {fold} has {len(self.positives)} pictures with a mask to train on and {len(validation)} to "
                "validate; use fewer folds or more pictures"
            )
        torch.manual_seed(run.config.seed * 10_007 + fold)
        self.learner = new_learner(run.new_model(), run.config, run.device, run.world)
        self.progress = FoldProgress()
        self.identity = identify(run.config, fold, described(run.data, train, validation), suffix=run.suffix)

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that `save` wrote."""
        self.learner.load(state)
        self.progress = restored_progress(state)
        report, where = self.run.report, self.place()
        report.message(f"{self.name} goes on in epoch {where['epoch']} after step {where['step']}")
        report.resumed(**{"from": self.run.config.train.resume_from}, **where)
        self.report_epochs(self.progress.history)

    def state(self) -> dict[str, Any]:
        """All that is needed to go on, for a checkpoint."""
        return whole_state(self.progress, self.learner.state(), self.identity)

    def save(self) -> None:
        """Write the state to disk."""
        save_progress(self.run.output, self.state())

    def leave(self) -> None:
        """Write the state to disk, and beside it what else the run that goes on from it will look for."""
        self.save()
        carry_over(self.run.earlier, self.run.output)

    def place(self) -> dict[str, int]:
        """Where the training is, for the report."""
        seed = {} if self.run.extra_seed is None else {"seed": self.run.extra_seed}
        return {**seed, "fold": self.fold, "epoch": self.progress.epoch, "step": self.progress.step}

    def report_epochs(self, history: Sequence[Mapping[str, Any]]) -> None:
        """One event for each of the epochs."""
        for each in history:
            run = self.run
            run.report.epoch(fold=self.fold, epochs=run.config.train.epochs, seed=run.extra_seed, **each)

    def epoch(self, *, is_evaluated: bool) -> dict[str, float]:
        """What is left of the epoch that the progress is in; its mean losses. `is_evaluated` says what comes next."""
        run, config, progress = self.run, self.run.config, self.progress
        with run.report.stage("train"):
            xrays = self.pictures()
            steps = count_steps(len(xrays), config.train.batch_size, run.parts)
            if not steps:
                raise ValueError(
                    f"an epoch of {self.name} has {len(xrays)} pictures, too few for a step in {run.parts} parts; "
                    "lower train.micro_batches"
                )
            heading = f"{self.name}  epoch {progress.epoch}/{config.train.epochs}"
            logger = MetricLogger(heading, every=config.train.log_every, sums=progress.sums, count=progress.step)
            run.stop.begin()

            def after_step(done: int) -> None:
                progress.step, progress.steps, progress.sums = done, progress.steps + 1, logger.sums
                self.after_step(is_evaluation_next=is_evaluated and done == steps)

            epoch = EpochSteps(
                rate=functools.partial(self.learning_rate, progress.epoch, steps),
                done=progress.step,
                seeds=(config.seed, self.fold, progress.epoch),
                after_step=after_step,
            )
            losses = train_epoch(self.learner, run.steps(xrays, done=progress.step), epoch, logger, run.timer)
        return {f"train/{name}": value for name, value in losses.items()}

    def pictures(self) -> ChestXrays:
        """Those that the epoch trains on, in their order."""
        config, epoch = self.run.config, self.progress.epoch
        seeds = (config.seed, self.fold, epoch)
        ratio = ratio_at(
            epoch,
            config.train.epochs,
            start=config.train.negatives_per_positive,
            end=config.train.negatives_per_positive_end,
        )
        order = epoch_order(
            self.positives, self.negatives, negatives_per_positive=ratio, rng=np.random.default_rng(seeds)
        )
        data = self.run.data
        return ChestXrays(data.train, data.labels, order, preset=config.augment.preset, seeds=seeds)

    def after_step(self, *, is_evaluation_next: bool) -> None:
        """Save when it is time to; leave the run when it has to stop."""
        stop, progress, every = self.run.stop, self.progress, self.run.config.train.checkpoint_every
        stop.step()
        own = stop.reason(is_evaluation_next=is_evaluation_next)
        if reason := self.run.world.agree(own):
            self.leave()
            where = self.place()
            self.run.report.update(stopped={"reason": reason, **where})
            text = f"stopped in {self.name}, epoch {where['epoch']}, after step {where['step']}: {reason}"
            stop.leave(text, is_request=reason == ASKED)
        if every and progress.steps % every == 0:
            with stop.timed("save"):
                self.save()

    def learning_rate(self, epoch: int, steps_per_epoch: int, step: int) -> float:
        """The learning rate of one step of an epoch."""
        config = self.run.config
        return learning_rate(
            config.optim,
            config.schedule,
            epoch=epoch,
            epochs=config.train.epochs,
            step=step,
            steps_per_epoch=steps_per_epoch,
        )

    def evaluate(self) -> tuple[list[Scored], dict[str, float]]:
        """The validation images under the model as it is now, and what is reported of them."""
        run, settings = self.run, self.run.config.train
        try:
            with (
                run.stop.interruptible(),
                run.report.stage("evaluate"),
                run.stop.timed("evaluate"),
                run.timer.evaluation(),
            ):
                scored = evaluate(run, self.learner.model, self.fold, self.validation)
                metrics = {"val/dice": mean_dice(scored)} | by_presence("val/dice", scored)
                if settings.validation_loss or settings.monitor.startswith("val/loss"):
                    metrics |= mean_losses(run, self.learner.model, self.validation, self.learner.precision)
        except SystemExit:
            # Asked to end: nothing that was trained is lost, the evaluation is done again.
            self.leave()
            raise
        return scored, metrics


def described(data: Data, train: Sequence[int], validation: Sequence[int]) -> list[tuple[str, bool, Sequence[str]]]:
    """The pictures that a fold trains on and validates, as a checkpoint knows them."""
    pictures = [(index, True) for index in train] + [(index, False) for index in validation]
    return [(data.train.ids[index], is_inside, data.labels[data.train.ids[index]]) for index, is_inside in pictures]
