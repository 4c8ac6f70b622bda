"""What a model is worth on labelled pictures that it was not trained on."""

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
    """Predict labelled pictures and score each in its original size."""
    data = run.data
    loader = run.batches(ChestXrays(data.train, data.labels, indices))
    rule = Rule.of(run.config.predict)
    scored = []
    tta = run.config.predict.tta
    for each in run.stop.paced(predict([model], loader, tta=tta, device=run.device), views=VIEWS[tta]):
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
    """The validation loss over the pictures with a mask, which is what the diary's runs report, and over all.

    Each kind in batches of its own, so that the former doesn't depend on which others there are.
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
        # Added up in the order of the batches, so that the number of processes changes no digit.
        sums.append(sum(mean * pictures for _, mean, pictures in sorted(run.world.gather(found))))
    return {
        "val/loss": sum(sums) / len(indices),
        "val/loss_positive": sums[0] / len(kinds[0]) if kinds[0] else math.nan,
    }
