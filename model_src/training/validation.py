"""Predictions and losses on the validation images of a fold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import count

from torch import nn

from ..data.dataset import ChestXrays
from ..data.rle import encode, union
from ..prediction.predict import VIEWS, predict
from ..prediction.thresholds import Rule
from ..score import Scored, dice
from .engine import validation_losses
from .optim import Precision
from .run import Run


def evaluate(run: Run, model: nn.Module, fold: int, indices: Sequence[int]) -> list[Scored]:
    """Predict the images at the positions `indices`, and score each in its original size; in the order of `indices`."""
    data = run.data
    loader = run.batches(ChestXrays(data.train, data.labels, indices))
    rule = Rule.of(run.config.predict)
    scored = []
    tta = run.config.predict.tta
    predicted = predict([model], loader, tta=tta, device=run.device, autocast=run.autocast)
    for each in run.stop.paced(predicted, views=VIEWS[tta]):
        image_id, shape = data.train.ids[each.index], data.train.shapes[each.index]
        truth = union(data.labels[image_id], *shape)
        mask = each.mask(shape, rule)
        scored.append(
            Scored(
                image_id=image_id,
                fold=fold,
                dice=dice(mask, truth),
                truth_area=int(truth.sum()),
                predicted_area=int(mask.sum()),
                top_score=each.top_score,
                encoded=encode(mask),
            )
        )
    place = {data.train.ids[index]: place for place, index in enumerate(indices)}
    return sorted(run.world.gather(scored), key=lambda each: place[each.image_id])


def mean_losses(run: Run, model: nn.Module, indices: Sequence[int], precision: Precision) -> dict[str, float]:
    """The mean validation losses: val/loss over all images, val/loss_positive over the images with a mask.

    Images with and without a mask are in separate batches, so that val/loss_positive does not depend on the others.
    """
    kinds = [[index for index in indices if run.data.is_positive(index) == kind] for kind in (True, False)]
    sums = []
    for kind in kinds:
        found = validation_losses(
            model,
            zip(count(run.world.rank, run.world.size), run.batches(ChestXrays(run.data.train, run.data.labels, kind))),
            precision=precision,
            device=run.device,
            seed=run.config.seed,
        )
        # Summed in the order of the batches, so that the result does not depend on the number of processes.
        sums.append(sum(mean * pictures for _, mean, pictures in sorted(run.world.gather(found))))
    return {
        "val/loss": sum(sums) / len(indices),
        "val/loss_positive": sums[0] / len(kinds[0]) if kinds[0] else math.nan,
    }
