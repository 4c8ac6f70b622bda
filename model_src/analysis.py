"""What is found out after the training from the out-of-fold pictures, each seen once more by its fold's best model.

`scored` are these pictures as the training left them, a fold's in the order in which they were predicted, so that the
same batches give the same numbers.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from .config import Config
from .curves import write_curves
from .data import Data
from .dataset import ChestXrays
from .engine import Batch
from .labels import union
from .oracle import oracle_dice, summarize
from .oracle_report import oracle_lines, write_oracle
from .outputs import write_csv
from .overlays import write_worst
from .predict import VIEWS, Prediction, Tta, predict
from .run import Run
from .score import Scored
from .thresholds import Choice, Counts, Rule, choose, count, grid
from .thresholds import summary as choice_summary

ORACLE_VIEWS = 4
"""As long as so many views of a prediction is a picture given in the analysis of bottlenecks; 2 on a processor."""

Row = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
"""One picture's area and overlap, as `thresholds.count` returns them."""


def choose_rule(run: Run, scored: Sequence[Scored]) -> Choice:
    """Choose the rule for masks and measure what the mirrored picture is worth; writes thresholds.csv.

    The choice's arrays are in the order of `scored`.
    """
    config, data = run.config, run.data
    plain = Rule.of(config.predict)
    scores, thresholds, rules = grid(config.evaluate, plain)
    ttas = ttas_to_try(config)
    seen: list[tuple[Tta, str, Row]] = []
    for model, loader in by_fold(run, scored):
        predictions = predict([model], loader, tta=ttas[-1], device=run.device)
        for each in run.stop.paced(predictions, views=VIEWS[ttas[-1]]):
            for tta in ttas:
                views = each.part(slice(1)) if tta == "none" else each
                seen.append((tta, data.train.ids[each.index], counted(views, data, scores, thresholds)))
    row_of = {(tta, image_id): row for tta, image_id, row in run.world.gather(seen)}

    shape_of = dict(zip(data.train.ids, data.train.shapes, strict=True))
    counts = {
        tta: Counts(
            scores=scores,
            thresholds=thresholds,
            folds=np.array([each.fold for each in scored], np.int64),
            pixels=np.array([math.prod(shape_of[each.image_id]) for each in scored], np.int64),
            truth=np.array([each.truth_area for each in scored], np.int64),
            area=np.stack([row_of[tta, each.image_id][0] for each in scored]),
            overlap=np.stack([row_of[tta, each.image_id][1] for each in scored]),
        )
        for tta in ttas
    }
    choices = {tta: choose(counts[tta], rules) for tta in ttas}
    choice = choices[config.predict.tta]
    curve = [[f"{value:.6g}" for value in row.values()] for row in choice.curve]
    write_csv(run.output / "thresholds.csv", list(choice.curve[0]), curve)
    run.report.update(choice=choice_summary(choice))
    if config.evaluate.ablation:
        run.report.update(ablation=[ablation_row(tta, counts[tta], plain, choices[tta]) for tta in ttas])
    return choice


def ttas_to_try(config: Config) -> tuple[Tta, ...]:
    """What the rule is chosen for; the last one has the views of all."""
    return ("none", "hflip") if config.evaluate.ablation else (config.predict.tta,)


def explain(run: Run, scored: Sequence[Scored]) -> None:
    """Draw curves and the worst pictures, and find the bottleneck.

    Writes learning.png, worst.png, worst/, oracle.csv and oracle.png. The bottleneck, which takes longest, is left out
    when there is no time for it.
    """
    write_curves(run.output)
    write_worst(run.output, scored, run.data, most=run.config.evaluate.worst)
    if not run.config.evaluate.oracle:
        return
    if lack := run.lack(len(scored) * ORACLE_VIEWS, again=len(scored) * VIEWS[run.config.predict.tta]):
        run.report.message(f"the bottleneck is not looked for: {lack}")
        return
    rule = Rule.of(run.config.predict)
    pictures = []
    for model, loader in by_fold(run, scored):
        for picture in oracle_dice(model, loader, run.data, rule, run.device):
            pictures.append(picture)
            if run.stop.left() <= 0:
                break
        if run.stop.left() <= 0:
            break
    pictures = run.world.gather(pictures)
    if len(pictures) < len(scored):
        run.report.message(
            f"the bottleneck is not found: the time is over after {len(pictures)} of {len(scored)} pictures"
        )
        return
    place = {each.image_id: place for place, each in enumerate(scored)}
    found = summarize(sorted(pictures, key=lambda each: place[each.baseline.image_id]))
    run.report.update(oracle=found)
    write_oracle(run.output, found)
    for line in oracle_lines(found):
        run.report.message(line)


def by_fold(run: Run, scored: Sequence[Scored]) -> Iterator[tuple[nn.Module, Iterable[Batch]]]:
    """Each fold's best model, and the pictures that it had not seen in the batches in which it was validated."""
    data = run.data
    index_of = {image_id: index for index, image_id in enumerate(data.train.ids)}
    for fold in sorted({each.fold for each in scored}):
        outside = [index_of[each.image_id] for each in scored if each.fold == fold]
        yield run.best_model(fold), run.batches(ChestXrays(data.train, data.labels, outside))


def counted(prediction: Prediction, data: Data, scores: Sequence[float], thresholds: Sequence[float]) -> Row:
    """One picture's row of the counts; `scores` and `thresholds` rise."""
    shape = data.train.shapes[prediction.index]
    truth = union(data.labels[data.train.ids[prediction.index]], *shape)
    return count(prediction.probabilities(shape, scores), truth, thresholds)


def ablation_row(tta: Tta, counts: Counts, plain: Rule, choice: Choice) -> dict[str, Any]:
    """One row of the comparison: the dice under the config's thresholds, and under rules chosen anew."""
    return {
        "name": "tta",
        "value": tta,
        "metric": "cv/dice",
        "dice": statistics.fmean(counts.dice(plain).tolist()),
        "dice_chosen": float(choice.chosen_dice.mean()),
        "dice_nested": None if choice.nested_dice is None else float(choice.nested_dice.mean()),
    }
