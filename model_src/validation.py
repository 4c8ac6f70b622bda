"""What a model is worth on labelled pictures that it was not trained on."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from .dataset import ChestXrays
from .engine import validation_loss
from .labels import encode, union
from .optim import Precision
from .predict import VIEWS, predict
from .run import Run
from .score import Scored, dice
from .thresholds import Rule


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
    return scored


def losses(run: Run, model: nn.Module, indices: Sequence[int], precision: Precision) -> dict[str, float]:
    """The validation loss over the pictures with a mask, which is what the diary's runs report, and over all.

    Each kind in batches of its own, so that the former doesn't depend on which others there are.
    """
    kinds = [[index for index in indices if run.data.is_positive(index) == kind] for kind in (True, False)]
    values = [
        validation_loss(
            model,
            run.batches(ChestXrays(run.data.train, run.data.labels, kind)),
            precision=precision,
            device=run.device,
            seed=run.config.seed,
        )
        for kind in kinds
    ]
    total = sum(value * len(kind) for value, kind in zip(values, kinds, strict=True) if kind)
    return {"val/loss": total / len(indices), "val/loss_positive": values[0]}
