"""The analysis after the training: each out-of-fold image is predicted once more by the model of its fold.

`scored` are these images in the order of the training, so that the batches, and with them the numbers, are the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
from torch import nn

from ..config import Config
from ..data.dataset import Batch, ChestXrays
from ..data.load import Data
from ..data.rle import union
from ..files import write_csv
from ..output import write_worst
from ..prediction.counts import COUNTS, write_counts
from ..prediction.predict import VIEWS, Prediction, Tta, predict
from ..prediction.thresholds import Counts, Rule, RuleChoice, choose, count, grid, summary as choice_summary
from ..score import Scored
from ..training import Run, Weights
from .ablation import Variant, ablation_row, compare, configured, variants
from .oracle import oracle_dice
from .oracle_summary import PICTURES, oracle_lines, summarize, write_oracle, write_pictures

ORACLE_VIEWS = 4
"""The estimated time of the bottleneck analysis of an image, in views of a prediction; measured: 2 on a CPU."""

Row = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
"""Area and overlap of an image, as `thresholds.count` returns them."""


def choose_rule(run: Run, scored: Sequence[Scored]) -> RuleChoice:
    """Choose the rule for masks, and compare the variants of the ablation.

    Writes thresholds.csv and, for the merge of runs of single folds, counts.npz. The arrays of the choice are in the
    order of `scored`.
    """
    config, data = run.config, run.data
    plain = Rule.of(config.predict)
    scores, thresholds, rules = grid(config.evaluate, plain)
    compared = compare(config)
    compared_variants = variants(config)
    seen: list[tuple[Variant, str, Row]] = []
    for weights, tta in passes(config).items():
        same = [variant for variant in compared_variants if variant.weights == weights]
        for model, batches in by_fold(run, scored, weights):
            predicted = predict([model], batches, tta=tta, device=run.device, autocast=run.autocast)
            for each in run.stop.paced(predicted, views=VIEWS[tta]):
                for variant in same:
                    views = each.part(slice(1)) if variant.tta == "none" else each
                    seen.append((variant, data.train.ids[each.index], counted(views, data, scores, thresholds)))
    row_of = {(variant, image_id): row for variant, image_id, row in run.world.gather(seen)}

    shape_of = dict(zip(data.train.ids, data.train.shapes, strict=True))
    counts = {
        variant: Counts(
            scores=scores,
            thresholds=thresholds,
            folds=np.array([each.fold for each in scored], np.int64),
            pixels=np.array([math.prod(shape_of[each.image_id]) for each in scored], np.int64),
            truth=np.array([each.truth_area for each in scored], np.int64),
            area=np.stack([row_of[variant, each.image_id][0] for each in scored]),
            overlap=np.stack([row_of[variant, each.image_id][1] for each in scored]),
        )
        for variant in compared_variants
    }
    choices = {variant: choose(counts[variant], rules) for variant in compared_variants}
    choice, used = choices[configured(config)], counts[configured(config)].dice(plain)
    by_name = {variant.name: each for variant, each in counts.items()}
    write_counts(run.output / COUNTS, [each.image_id for each in scored], by_name)
    curve = [[f"{value:.6g}" for value in row.values()] for row in choice.curve]
    write_csv(run.output / "thresholds.csv", list(choice.curve[0]), curve)
    run.report.update(choice=choice_summary(choice))
    run.report.update(
        ablation=[
            ablation_row(name, value, counts[variant].dice(plain), used, choices[variant])
            for name, value, variant in compared
        ]
    )
    return choice


def passes(config: Config) -> dict[Weights, Tta]:
    """The weights that `choose_rule` predicts with, each with all views that one of its variants needs."""
    wanted = [configured(config), *(variant for *_, variant in compare(config))]
    mirrored = {variant.weights for variant in wanted if variant.tta == "hflip"}
    return {variant.weights: "hflip" if variant.weights in mirrored else "none" for variant in wanted}


def explain(run: Run, scored: Sequence[Scored]) -> None:
    """Draw the images with the lowest dice, and analyse the bottlenecks.

    Writes worst.png, worst/ and oracle.csv. The analysis of bottlenecks takes longest and is left out when there is no
    time for it.
    """
    write_worst(run.output, scored, run.data, most=run.config.evaluate.worst)
    if not run.config.evaluate.oracle:
        return
    if reason := run.why_no_time(len(scored) * ORACLE_VIEWS, again=len(scored) * VIEWS[run.config.predict.tta]):
        run.report.message(f"bottlenecks are not analysed: {reason}")
        return
    rule = Rule.of(run.config.predict)
    pictures = []
    for model, loader in by_fold(run, scored):
        for picture in oracle_dice(model, loader, run.data, rule, run.device, run.autocast):
            pictures.append(picture)
            if run.stop.left() <= 0:
                break
        if run.stop.left() <= 0:
            break
    pictures = run.world.gather(pictures)
    if len(pictures) < len(scored):
        run.report.message(
            f"bottlenecks are not analysed: the time is over after {len(pictures)} of {len(scored)} images"
        )
        return
    place = {each.image_id: place for place, each in enumerate(scored)}
    pictures.sort(key=lambda each: place[each.baseline.image_id])
    if run.config.folds.run:
        write_pictures(run.output / PICTURES, pictures)
    found = summarize(pictures)
    run.report.update(oracle=found)
    write_oracle(run.output, found)
    for line in oracle_lines(found):
        run.report.message(line)


def by_fold(
    run: Run, scored: Sequence[Scored], weights: Weights | None = None
) -> Iterator[tuple[nn.Module, Iterable[Batch]]]:
    """The model of each fold, and the batches of its validation images.

    `weights` None = those that predict.weights selects.
    """
    data = run.data
    index_of = {image_id: index for index, image_id in enumerate(data.train.ids)}
    for fold in sorted({each.fold for each in scored}):
        validation = [index_of[each.image_id] for each in scored if each.fold == fold]
        yield run.kept_model(fold, weights), run.batches(ChestXrays(data.train, data.labels, validation))


def counted(prediction: Prediction, data: Data, scores: Sequence[float], thresholds: Sequence[float]) -> Row:
    """The pixel counts of an image; `scores` and `thresholds` are ascending."""
    shape = data.train.shapes[prediction.index]
    truth = union(data.labels[data.train.ids[prediction.index]], *shape)
    return count(prediction.probabilities(shape, scores), truth, thresholds)
