"""The files and figures that a run leaves: out-of-fold rows, the submission, the cross-validation summary."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from .config import Config
from .report import Report, metric, write_text
from .score import Scored, all_empty, choose_presence, mean_dice, with_presence


def by_presence(name: str, scored: Sequence[Scored]) -> dict[str, float]:
    """The mean dice of the pictures with a mask and of those without, under two names."""
    return {
        f"{name}_positive": mean_dice([each for each in scored if each.truth_area]),
        f"{name}_empty": mean_dice([each for each in scored if not each.truth_area]),
    }


def summarize(config: Config, scored: Sequence[Scored], report: Report) -> None:
    """Put the cross-validated figures of the folds so far into the report."""
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
    report.update(
        primary={"name": "cv/dice", "mode": "max", "value": mean_dice(scored)},
        metrics=rows,
        baselines=[{"name": "all-empty", "metric": "cv/dice", "value": all_empty(scored)}],
        thresholds=thresholds,
    )


def write_oof(path: Path, scored: Sequence[Scored]) -> None:
    """One row a labelled picture, sorted by ImageId."""
    header = ["ImageId", "fold", "dice", "truth_area", "predicted_area", "top_score", "EncodedPixels"]
    rows = [
        [s.image_id, s.fold, f"{s.dice:.6f}", s.truth_area, s.predicted_area, f"{s.top_score:.6f}", s.encoded]
        for s in sorted(scored, key=lambda s: s.image_id)
    ]
    write_csv(path, header, rows)


def write_submission(path: Path, masks: Iterable[tuple[str, str]]) -> None:
    """One row a test picture, as the competition takes it."""
    write_csv(path, ["ImageId", "EncodedPixels"], masks)


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Replace a CSV file as a whole."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    write_text(path, text.getvalue())
