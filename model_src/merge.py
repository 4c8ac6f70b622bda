"""Completes the merged results of runs of single folds with everything that needs all folds.

    python -m model_src.merge MERGED FOLDER...

MERGED has metrics.json, metrics.jsonl and oof.csv of all folds together (`coord sweep merge` writes them); each FOLDER
has the results of the run of one fold. The rule for masks and the ablation are computed from the pixel counts of each
image (`counts.npz`), the bottlenecks from the dice of each image (`oracle_pictures.csv`), the submission and the
holdout from the probability maps of the folds (prediction/fold_maps.py). No model is needed, and the results are those
of a single run of all folds. A line on standard output names each result that cannot be computed. Needs neither torch
nor pydicom nor pandas, because it runs on the user's machine.
"""

from __future__ import annotations

import csv
import json
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .analysis.ablation import (
    ablation_row,
    choose_held,
    compare,
    configured,
    holdout_figures,
    rule_for_test,
    variants,
)
from .analysis.oracle_summary import PICTURES, read_pictures, summarize, write_oracle
from .config import Config, from_dict
from .data.rle import NO_MASK, decode, encode
from .files import finite, write_csv, write_text
from .output import (
    best_place,
    figures,
    merge_profiles,
    save_png,
    sheet,
    spread,
    worst,
    write_oof,
    write_submission,
)
from .prediction.counts import COUNTS, read_counts
from .prediction.fold_maps import TEST_MAPS, FoldMaps, check_same_images, mean_map, read_maps, top_score
from .prediction.thresholds import Counts, Rule, RuleChoice, choose, count, grid, summary as choice_summary
from .score import Scored, choose_presence, dice


def main(arguments: Sequence[str]) -> int:
    """Complete the results in the first folder; returns the exit code 0."""
    merged, *folders = map(Path, arguments)
    summary = json.loads((merged / "metrics.json").read_text(encoding="utf-8"))
    parts = [json.loads((folder / "metrics.json").read_text(encoding="utf-8")) for folder in folders]
    config = from_dict(summary["config"])
    ids, counts = read_counts(folders, [variant.name for variant in variants(config)])
    used = counts[configured(config).name]
    scored = read_scored(merged / "oof.csv", ids, used, config)
    plain = Rule.of(config.predict)
    rules = grid(config.evaluate, plain)[2]
    choices = {name: choose(each, rules) for name, each in counts.items()}
    choice = choices[configured(config).name]
    write_oof(merged / "oof.csv", scored, choice)
    curve = [[f"{value:.6g}" for value in row.values()] for row in choice.curve]
    write_csv(merged / "thresholds.csv", list(choice.curve[0]), curve)
    ablation = [
        ablation_row(name, value, counts[variant.name].dice(plain), used.dice(plain), choices[variant.name])
        for name, value, variant in compare(config)
    ]
    summary |= {"choice": choice_summary(choice), **figures(config, scored, choice), "ablation": ablation}
    profiles = [part.get("profile") for part in parts]
    summary["profile"] = merge_profiles(profiles) if all(profiles) else None
    summary["repeats"] = merge_repeats(merged, folders, [part.get("repeats") for part in parts])
    summary["oracle"] = merge_oracle(merged, folders, scored)
    held = merge_holdout(summary, folders, config, choice)
    merge_submission(merged, folders, summary, scored, choice, held)
    copy_worst(merged, folders, worst(scored, config.evaluate.worst))
    write_text(merged / "metrics.json", json.dumps(finite(summary), indent=2) + "\n")
    return 0


def merge_repeats(
    merged: Path, folders: Sequence[Path], repeats: Sequence[Mapping[str, Any] | None]
) -> dict[str, Any] | None:
    """The spread over the seeds that the runs of all folds have; writes oof.seed<s>.csv. None with a single seed."""
    found = [{each["seed"]: each["value"] for each in part["values"]} if part else {} for part in repeats]
    sizes = [len(_rows(folder / "oof.csv")[1]) for folder in folders]
    dice: dict[int, float] = {}
    for seed in found[0]:
        if not all(seed in each for each in found):
            continue
        dice[seed] = sum(each[seed] * size for each, size in zip(found, sizes, strict=True)) / sum(sizes)
        if len(dice) > 1:  # the rows of the first seed are oof.csv
            parts = [_rows(folder / f"oof.seed{seed}.csv") for folder in folders]
            write_csv(merged / f"oof.seed{seed}.csv", parts[0][0], sorted(row for _, rows in parts for row in rows))
    return spread("cv/dice", "max", dice) if len(dice) > 1 else None


def _rows(file: Path) -> tuple[list[str], list[list[str]]]:
    """The header and the rows of a CSV file."""
    with file.open(encoding="utf-8", newline="") as text:
        header, *rows = csv.reader(text)
    return header, rows


def merge_oracle(merged: Path, folders: Sequence[Path], scored: Sequence[Scored]) -> dict[str, Any] | None:
    """The bottleneck analysis for the summary; writes oracle.csv. None if the run of a fold has none."""
    files = [folder / PICTURES for folder in folders]
    lacking = [file for file in files if not file.is_file()]
    if lacking:
        if len(lacking) < len(files):
            print(f"no analysis of bottlenecks: {lacking[0].parent.parent.name} has no {PICTURES} here")
        return None
    by_id = {each.baseline.image_id: each for file in files for each in read_pictures(file)}
    found = summarize([by_id[each.image_id] for each in scored])
    write_oracle(merged, found)
    return found


def merge_submission(
    merged: Path,
    folders: Sequence[Path],
    summary: dict[str, Any],
    scored: Sequence[Scored],
    choice: RuleChoice,
    held: Rule | None,
) -> None:
    """Write submission.csv by the models of all folds under the rule chosen on all folds, as `train.predict_test`.

    `held` is the rule that `merge_holdout` chose. Adds the rule for the test images to the summary.
    """
    config = from_dict(summary["config"])
    files = [folder / TEST_MAPS for folder in folders]
    if lacking := [file for file in files if not file.is_file()]:
        print(f"no submission.csv: {lacking[0].parent.parent.name} has no {TEST_MAPS} here")
        return
    parts = [read_maps(file) for file in files]
    check_same_images(parts)
    presence = choose_presence(scored)[0] if config.predict.choose_presence else 0.0
    if config.predict.folds == "best":
        parts = [parts[best_place([part.value for part in parts], config.train.monitor_mode)]]
    chosen = rule_for_test(config, len(parts), choice.rule, held)
    summary["choice"] = choice_summary(choice, rule := chosen.rule, chosen.chosen_on)
    if chosen.warning:
        print(chosen.warning)
    masks = [
        (
            each.image_id,
            encode(rule.mask(mean_map(parts, place, rule.score))) if top_score(parts, place) >= presence else NO_MASK,
        )
        for place, each in enumerate(parts[0].seen)
    ]
    shapes = {each.image_id: each.shape for each in parts[0].seen}
    write_submission(merged / "submission.csv", masks, shapes, parts[0].skipped)


def merge_holdout(summary: dict[str, Any], folders: Sequence[Path], config: Config, choice: RuleChoice) -> Rule | None:
    """Add the metrics of the holdout to the summary, as `analysis.holdout` measures them.

    Returns the best rule on the holdout for all folds together; None without the predictions of all folds.
    """
    files = [file for folder in folders for file in folder.glob("holdout*_maps.npz")]
    files.sort(key=lambda file: int(file.name.removeprefix("holdout").removesuffix("_maps.npz")))
    if len(files) < config.folds.n:
        if files:
            print(f"no metrics of the holdout: only {len(files)} of {config.folds.n} folds have its predictions here")
        return None
    parts = [read_maps(file) for file in files]
    check_same_images(parts)
    best = best_place([part.value for part in parts], config.train.monitor_mode)
    values = np.array(list(_holdout_dice(parts, (Rule.of(config.predict), choice.rule))))
    row, rows = holdout_figures(config, values, best)
    summary["metrics"] = [*summary["metrics"], row]
    summary["ablation"] = [*summary["ablation"], *rows]
    scores, thresholds, rules = grid(config.evaluate, Rule.of(config.predict))
    held = []
    for place, each in enumerate(parts[0].seen):
        truth = decode(each.truth, *each.shape)
        maps = [mean_map(parts, place, score) for score in scores]
        held.append((truth.size, int(truth.sum()), *count(maps, truth, thresholds)))
    return choose_held(held, scores, thresholds, rules)


def _holdout_dice(parts: Sequence[FoldMaps], rules: Sequence[Rule]) -> Iterator[list[list[float]]]:
    """For each image: the dice by each part alone, and by the mean of all, under each rule."""
    for place, each in enumerate(parts[0].seen):
        truth = decode(each.truth, *each.shape)
        yield [
            [dice(rule.mask(mean_map(some, place, rule.score)), truth) for rule in rules]
            for some in (*([part] for part in parts), parts)
        ]


def copy_worst(merged: Path, folders: Sequence[Path], pictures: Sequence[Scored]) -> None:
    """Copy the drawn images with the lowest dice of all folds; each is among the drawn images of its fold."""
    drawn = []
    for rank, each in enumerate(pictures, start=1):
        for file in (found for folder in folders for found in folder.glob(f"worst/*-{each.image_id}.png")):
            (merged / "worst").mkdir(exist_ok=True)
            shutil.copyfile(file, merged / "worst" / f"{rank:02}-{each.image_id}.png")
            with Image.open(file) as picture:
                drawn.append(picture.convert("RGB"))
    if drawn:
        save_png(merged / "worst.png", sheet(drawn))


def read_scored(path: Path, ids: Sequence[str], counts: Counts, config: Config) -> list[Scored]:
    """The rows of oof.csv in the order of `ids`, with the unrounded dice, from the counts."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = {row["ImageId"]: row for row in csv.DictReader(file)}
    if rows.keys() != set(ids):
        raise ValueError(f"{path.name} and {COUNTS} do not have the same images")
    return [
        Scored(
            image_id=image_id,
            fold=int(rows[image_id]["fold"]),
            dice=float(dice),
            truth_area=int(rows[image_id]["truth_area"]),
            predicted_area=int(rows[image_id]["predicted_area"]),
            top_score=float(rows[image_id]["top_score"]),
            encoded=rows[image_id]["EncodedPixels"],
        )
        for image_id, dice in zip(ids, counts.dice(Rule.of(config.predict)), strict=True)
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
