"""Trains one fold: epochs, validation, early stopping, and the files that it leaves."""

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
from .best_epochs import STORED, add_epoch
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

    Continues from the state that an earlier run left of this fold. Returns the predictions for the validation images,
    by the weights that predict.weights selects. Their dice is biased upwards, because the best epoch is chosen on the
    same images. Raises OutOfTime or SystemExit after a step when the run has to stop; the state is saved before.
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
        # The best epoch may be in the file of the fold, which the next better epoch replaces.
        training.save()
    with run.stop.deferred():
        best, finished = train_epochs(run, training)
    if best is None or run.config.predict.weights != "best":
        # The best epoch was trained by an earlier run, or the weights for the prediction are an average.
        model.load_state_dict(finished[weights])
        with report.stage("evaluate"), run.stop.timed("evaluate"):
            best = evaluate(run, model, fold, validation)
    return best


def train_epochs(run: Run, training: FoldTraining) -> tuple[list[Scored] | None, dict[str, Any]]:
    """Train until the last epoch or until early stopping; writes the file of the fold and removes its state.

    Returns the predictions of the best epoch (None if an earlier run trained it), and the content of the file.
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
            progress.best = add_epoch(
                progress.best, epoch, value, training.learner.evaluated, most=most, mode=settings.monitor_mode
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
    # Before the file says that the fold is finished, because a finished fold is not trained again.
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
    """The training of a fold: its learner, its progress, and the operations epoch, evaluate and save."""

    def __init__(self, run: Run, fold: int, train: Sequence[int], validation: Sequence[int]) -> None:
        """Build a new model; `feasible.check_folds` has checked the images."""
        self.run = run
        self.fold = fold
        self.name = run.name(fold)
        self.validation = validation
        self.positives = [index for index in train if run.data.is_positive(index)]
        self.negatives = [index for index in train if not run.data.is_positive(index)]
        torch.manual_seed(run.config.seed * 10_007 + fold)
        self.learner = new_learner(run.new_model(fold), run.config, run.device, run.world)
        self.progress = FoldProgress()
        self.identity = identify(run.config, fold, described(run.data, train, validation), suffix=run.suffix)

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a state that `save` wrote."""
        self.learner.load(state)
        self.progress = restored_progress(state)
        report, where = self.run.report, self.place()
        report.message(f"{self.name} continues in epoch {where['epoch']} after step {where['step']}")
        report.resumed(**{"from": self.run.config.train.resume_from}, **where)
        self.report_epochs(self.progress.history)

    def state(self) -> dict[str, Any]:
        """The state that `restore` continues from, for a checkpoint."""
        return whole_state(self.progress, self.learner.state(), self.identity)

    def save(self) -> None:
        """Write the state to disk."""
        save_progress(self.run.output, self.state())

    def leave(self) -> None:
        """Write the state to disk, and copy the files of the earlier run that a continued run needs."""
        self.save()
        carry_over(self.run.earlier, self.run.output)

    def place(self) -> dict[str, int]:
        """The position of the training, for the report."""
        seed = {} if self.run.extra_seed is None else {"seed": self.run.extra_seed}
        return {**seed, "fold": self.fold, "epoch": self.progress.epoch, "step": self.progress.step}

    def report_epochs(self, history: Sequence[Mapping[str, Any]]) -> None:
        """Write an event for each epoch."""
        for each in history:
            run = self.run
            run.report.epoch(fold=self.fold, epochs=run.config.train.epochs, seed=run.extra_seed, **each)

    def epoch(self, *, is_evaluated: bool) -> dict[str, float]:
        """Train the rest of the current epoch; returns its mean losses. `is_evaluated`: an evaluation follows."""
        run, config, progress = self.run, self.run.config, self.progress
        with run.report.stage("train"):
            xrays = self.pictures()
            steps = count_steps(len(xrays), config.train.batch_size, run.parts)
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
        """The images of the current epoch, in their order."""
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
        """Save the state when it is due, and leave the run when it has to stop."""
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
        """The predictions of the current model for the validation images, and the metrics."""
        run, settings = self.run, self.run.config.train
        try:
            with (
                run.stop.interruptible(),
                run.report.stage("evaluate"),
                run.stop.timed("evaluate"),
                run.timer.evaluation(),
            ):
                model = self.learner.evaluated
                scored = evaluate(run, model, self.fold, self.validation)
                metrics = {"val/dice": mean_dice(scored)} | by_presence("val/dice", scored)
                if settings.validation_loss or settings.monitor.startswith("val/loss"):
                    metrics |= mean_losses(run, model, self.validation, self.learner.precision)
        except SystemExit:
            # A request to stop: the state is saved, and the run that continues repeats the evaluation.
            self.leave()
            raise
        return scored, metrics


def described(data: Data, train: Sequence[int], validation: Sequence[int]) -> list[tuple[str, bool, Sequence[str]]]:
    """The images of a fold as a part of the identity of a checkpoint."""
    pictures = [(index, True) for index in train] + [(index, False) for index in validation]
    return [(data.train.ids[index], is_inside, data.labels[data.train.ids[index]]) for index, is_inside in pictures]
