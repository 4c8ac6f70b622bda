"""The tables and metrics of a run: out-of-fold predictions, the submission, the cross-validated metrics."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..config import Config
from ..data.rle import NO_MASK
from ..files import write_csv
from ..prediction.thresholds import RuleChoice
from ..score import Scored, all_empty, choose_presence, mean_dice, with_presence
from .report import Report, metric
from .submission import check_submission


def by_presence(name: str, scored: Sequence[Scored]) -> dict[str, float]:
    """The mean dice of the images with a true mask, and of those without, by the names of the two metrics."""
    return {
        f"{name}_positive": mean_dice([each for each in scored if each.truth_area]),
        f"{name}_empty": mean_dice([each for each in scored if not each.truth_area]),
    }


def summarize(config: Config, scored: Sequence[Scored], report: Report, choice: RuleChoice | None = None) -> None:
    """Write the cross-validated metrics of the folds so far into the report."""
    report.update(**figures(config, scored, choice))


def figures(config: Config, scored: Sequence[Scored], choice: RuleChoice | None = None) -> dict[str, Any]:
    """The cross-validated metrics of the folds so far, as parts of the summary; with a `choice` also those under it.

    cv/dice_chosen is biased upwards, because the rule is chosen on the same images. For
    cv/dice_nested the rule of each fold is chosen on the other folds, so only the choice of the epochs biases it, as it
    does cv/dice. It is left out with a single fold.
    """
    folds = sorted({each.fold for each in scored})

    def row(name: str, chosen: Sequence[Scored], value: Callable[[Scored], float]) -> dict[str, Any]:
        parts = [[value(each) for each in chosen if each.fold == fold] for fold in folds]
        means = [sum(part) / len(part) if part else math.nan for part in parts]
        return metric(name, "max", list(zip(folds, means, map(len, parts), strict=True)))

    rows = [
        row("cv/dice", scored, lambda each: each.dice),
        row("cv/dice_positive", [each for each in scored if each.truth_area], lambda each: each.dice),
        row("cv/dice_empty", [each for each in scored if not each.truth_area], lambda each: each.dice),
    ]
    thresholds = {"score": config.predict.score_threshold, "mask": config.predict.mask_threshold}
    if config.predict.choose_presence:
        thresholds["presence"] = presence = choose_presence(scored)[0]
        rows.append(row("cv/dice_chosen_presence", scored, lambda each: with_presence(each, presence)))
    if choice:
        for name, values in (("cv/dice_chosen", choice.chosen_dice), ("cv/dice_nested", choice.nested_dice)):
            if values is not None:
                under_rule = [replace(each, dice=float(value)) for each, value in zip(scored, values, strict=True)]
                rows.append(row(name, under_rule, lambda each: each.dice))
        if config.predict.choose:
            rule = choice.rule
            thresholds = {"score": rule.score, "mask": rule.bottom, "top": rule.top, "min_area": float(rule.min_area)}
    return {
        "primary": {"name": "cv/dice", "mode": "max", "value": mean_dice(scored)},
        "metrics": rows,
        "baselines": [{"name": "all-empty", "metric": "cv/dice", "value": all_empty(scored)}],
        "thresholds": thresholds,
    }


def write_oof(path: Path, scored: Sequence[Scored], choice: RuleChoice | None = None) -> None:
    """Write one row per image, sorted by ImageId; the dice under the chosen rules is blank without a `choice`.

    dice, predicted_area and EncodedPixels are those under the thresholds of the config.
    """
    header = ["ImageId", "fold", "dice", "dice_chosen", "dice_nested", "truth_area", "predicted_area", "top_score"]
    blank = [""] * len(scored)
    chosen = nested = blank
    if choice:
        chosen = [f"{value:.6f}" for value in choice.chosen_dice]
        nested = blank if choice.nested_dice is None else [f"{value:.6f}" for value in choice.nested_dice]
    rows = [
        [s.image_id, s.fold, f"{s.dice:.6f}", c, n, s.truth_area, s.predicted_area, f"{s.top_score:.6f}", s.encoded]
        for s, c, n in zip(scored, chosen, nested, strict=True)
    ]
    write_csv(path, [*header, "EncodedPixels"], sorted(rows, key=lambda row: str(row[0])))


def write_submission(
    path: Path, masks: Iterable[tuple[str, str]], shapes: Mapping[str, tuple[int, int]], skipped: Iterable[str] = ()
) -> None:
    """Write one row (ImageId, encoded mask) per test image, sorted by ImageId, in the format of the competition.

    `shapes` has the original (height, width) of each image. An unreadable image, which is in `skipped`, gets an empty
    mask, because Kaggle refuses a submission with a missing image. Raises ValueError, and leaves the file as it was,
    when Kaggle would refuse the submission.
    """
    unread = list(skipped)
    rows = sorted([*masks, *((image_id, NO_MASK) for image_id in unread)])
    # Their size is unknown; an empty mask fits into any.
    check_submission(rows, {**shapes, **dict.fromkeys(unread, (0, 0))})
    write_csv(path, ["ImageId", "EncodedPixels"], rows)
