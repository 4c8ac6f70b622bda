"""What one fold's model and the mean of all are worth, on pictures that none of them has seen.

Out of fold this can't be measured: each picture there was trained on by all folds but one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .dataset import ChestXrays
from .labels import union
from .predict import predict
from .run import Run
from .score import dice
from .thresholds import Rule


def measure_holdout(run: Run, held: Sequence[int], folds: Sequence[int], chosen: Rule) -> None:
    """Report the dice of the pictures at the positions `held`: holdout/dice, and the rows "folds" of the ablation.

    "one" is the mean over the folds' models, each alone; "best" the fold with the best monitored value; "mean" the
    folds' averaged predictions. holdout/dice is that of predict.folds. `dice_chosen` is under the rule `chosen` out of
    fold, where none of these pictures was, so it is as honest as `dice`.
    """
    config, data = run.config, run.data
    rules = (Rule.of(config.predict), chosen)
    models = [run.kept_model(fold) for fold in folds]
    batches = run.batches(ChestXrays(data.train, data.labels, held))
    found = []
    for each in predict(models, batches, tta=config.predict.tta, device=run.device):
        shape = data.train.shapes[each.index]
        truth = union(data.labels[data.train.ids[each.index]], *shape)
        # The views are those of all models, and then those of all models of the mirrored picture.
        alone = [each.part(slice(number, None, len(models))) for number in range(len(models))]
        of_parts = [[dice(part.mask(shape, rule), truth) for rule in rules] for part in (*alone, each)]
        found.append((each.index, of_parts))
    means = np.array([of_parts for _, of_parts in sorted(run.world.gather(found))]).mean(0)
    values = {"one": means[:-1].mean(0), "best": means[folds.index(run.best_fold(folds))], "mean": means[-1]}
    rows = [
        {
            "name": "folds",
            "value": value,
            "metric": "holdout/dice",
            "images": len(held),
            "dice": float(plain),
            "dice_chosen": float(under_chosen),
            "dice_nested": None,
        }
        for value, (plain, under_chosen) in values.items()
    ]
    figure = float(values[config.predict.folds][0])
    row = {"name": "holdout/dice", "mode": "max", "folds": [], "mean": figure, "sd": None, "n": len(held)}
    run.report.extend(metrics=[row], ablation=rows if config.evaluate.ablation else [])
