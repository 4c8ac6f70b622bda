"""Compares the model of one fold with the mean of all folds, on the holdout, which no fold was trained on.

This cannot be measured on out-of-fold predictions, because all folds but one were trained on each of those images.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..data.dataset import ChestXrays
from ..data.rle import encode, union
from ..prediction.fold_maps import FoldMaps, ImageMaps, write_maps
from ..prediction.predict import predict
from ..prediction.thresholds import Rule, count, grid
from ..score import dice
from ..training import Run
from .ablation import HeldRow, choose_held, holdout_figures


def measure_holdout(run: Run, held: Sequence[int], folds: Sequence[int], chosen: Rule) -> Rule:
    """Report the dice of the images at the positions `held`: holdout/dice, and the rows "folds" of the ablation.

    "one" is the mean over the models of the folds, each alone; "best" is the fold with the best monitored value; "mean"
    is the mean prediction of all folds. holdout/dice is the value of predict.folds. `dice_chosen` is under the rule
    `chosen` on out-of-fold predictions; it is unbiased, because these images are not among them.

    Returns the best rule for the mean prediction of all folds, which can be chosen on these images only.
    """
    config, data = run.config, run.data
    rules = (Rule.of(config.predict), chosen)
    scores, thresholds, tried = grid(config.evaluate, rules[0])
    models = [run.kept_model(fold) for fold in folds]
    batches = run.batches(ChestXrays(data.train, data.labels, held))
    found = []
    rows_of_mean: list[tuple[int, HeldRow]] = []
    seen: list[tuple[int, list[ImageMaps]]] = []
    for each in predict(models, batches, tta=config.predict.tta, device=run.device, autocast=run.autocast):
        shape = data.train.shapes[each.index]
        truth = union(data.labels[data.train.ids[each.index]], *shape)
        # The views of all models come first, then the views of all models of the mirrored image.
        alone = [each.part(slice(number, None, len(models))) for number in range(len(models))]
        of_parts = [[dice(part.mask(shape, rule), truth) for rule in rules] for part in (*alone, each)]
        found.append((each.index, of_parts))
        counted = count(each.probabilities(shape, scores), truth, thresholds)
        rows_of_mean.append((each.index, (truth.size, int(truth.sum()), *counted)))
        if config.folds.run:
            image_id, code = data.train.ids[each.index], encode(truth)
            seen.append((each.index, [ImageMaps(image_id, shape, part.views, code) for part in alone]))
    values = np.array([of_parts for _, of_parts in sorted(run.world.gather(found))])
    row, rows = holdout_figures(config, values, folds.index(run.best_fold(folds)))
    run.report.extend(metrics=[row], ablation=rows)
    if config.folds.run:
        # For the merge of all folds, which needs the predictions of each model.
        ordered = [pictures for _, pictures in sorted(run.world.gather(seen), key=lambda each: each[0])]
        for number, fold in enumerate(folds):
            pictures = tuple(each[number] for each in ordered)
            maps = FoldMaps(data.train.size, run.value(fold), (), pictures)
            write_maps(run.output / holdout_maps(fold), maps)
    ordered_rows = [row for _, row in sorted(run.world.gather(rows_of_mean), key=lambda each: each[0])]
    return choose_held(ordered_rows, scores, thresholds, tried)


def holdout_maps(fold: int) -> str:
    """The name of the file with the predictions of a fold's model for the holdout."""
    return f"holdout{fold}_maps.npz"
