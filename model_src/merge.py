"""What the runs of single folds could not know: everything that comes of all folds together.

    python -m model_src.merge MERGED FOLDER...

MERGED has metrics.json, metrics.jsonl and oof.csv of all folds together (`coord sweep merge` puts them there), each
FOLDER is what the run of one fold has left. The rule for masks and the comparison of settings come from what every rule
would score on each picture (`counts.npz`), the bottleneck from each picture's scores (`oracle_pictures.csv`), the
submission and the holdout from the folds' probability maps (see fold_maps.py). So no model predicts anything again, and
the figures are those of one run of all folds. What can't be made is said on standard output, a line each.
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

from .analysis.ablation import ablation_row, compare, configured, holdout_figures, variants
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
from .prediction.fold_maps import TEST_MAPS, FoldMaps, check_together, joined, read_maps, top_score
from .prediction.thresholds import Counts, Rule, RuleChoice, choose, grid
from .prediction.thresholds import summary as choice_summary
from .score import Scored, choose_presence, dice


def main(arguments: Sequence[str]) -> int:
    """Complete what lies in the first folder."""
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
        ablation_row(name, value, counts[variant.name].dice(plain), choices[variant.name])
        for name, value, variant in compare(config)
    ]
    summary |= {"choice": choice_summary(choice), **figures(config, scored, choice), "ablation": ablation}
    profiles = [part.get("profile") for part in parts]
    summary["profile"] = merge_profiles(profiles) if all(profiles) else None
    summary["repeats"] = merge_repeats(merged, folders, [part.get("repeats") for part in parts])
    summary["oracle"] = merge_oracle(merged, folders, scored)
    merge_holdout(summary, folders, config, choice)
    merge_submission(merged, folders, config, scored, choice)
    copy_worst(merged, folders, worst(scored, config.evaluate.worst))
    write_text(merged / "metrics.json", json.dumps(finite(summary), indent=2) + "\n")
    return 0


def merge_repeats(
    merged: Path, folders: Sequence[Path], repeats: Sequence[Mapping[str, Any] | None]
) -> dict[str, Any] | None:
    """The spread over the seeds that all folds' runs have repeated, with oof.seed<s>.csv; None where there is none."""
    found = [{each["seed"]: each["value"] for each in part["values"]} if part else {} for part in repeats]
    sizes = [len(_rows(folder / "oof.csv")[1]) for folder in folders]
    dice: dict[int, float] = {}
    for seed in found[0]:
        if not all(seed in each for each in found):
            continue
        dice[seed] = sum(each[seed] * size for each, size in zip(found, sizes, strict=True)) / sum(sizes)
        if len(dice) > 1:  # the first one's rows are oof.csv
            parts = [_rows(folder / f"oof.seed{seed}.csv") for folder in folders]
            write_csv(merged / f"oof.seed{seed}.csv", parts[0][0], sorted(row for _, rows in parts for row in rows))
    return spread("cv/dice", "max", dice) if len(dice) > 1 else None


def _rows(file: Path) -> tuple[list[str], list[list[str]]]:
    """The header and the rows of a CSV file."""
    with file.open(encoding="utf-8", newline="") as text:
        header, *rows = csv.reader(text)
    return header, rows


def merge_oracle(merged: Path, folders: Sequence[Path], scored: Sequence[Scored]) -> dict[str, Any] | None:
    """The bottleneck, as the summary holds it, with its table and picture; None where a fold's run did not look."""
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
    merged: Path, folders: Sequence[Path], config: Config, scored: Sequence[Scored], choice: RuleChoice
) -> None:
    """submission.csv by all folds' models under the rule that was chosen on all folds, as `train.predict_test` does."""
    files = [folder / TEST_MAPS for folder in folders]
    if lacking := [file for file in files if not file.is_file()]:
        print(f"no submission.csv: {lacking[0].parent.parent.name} has no {TEST_MAPS} here")
        return
    parts = [read_maps(file) for file in files]
    check_together(parts)
    presence = choose_presence(scored)[0] if config.predict.choose_presence else 0.0
    rule = choice.rule if config.predict.choose else Rule.of(config.predict)
    if config.predict.folds == "best":
        parts = [parts[best_place([part.value for part in parts], config.train.monitor_mode)]]
    masks = [
        (
            each.image_id,
            encode(rule.mask(joined(parts, place, rule.score))) if top_score(parts, place) >= presence else NO_MASK,
        )
        for place, each in enumerate(parts[0].seen)
    ]
    shapes = {each.image_id: each.shape for each in parts[0].seen}
    write_submission(merged / "submission.csv", masks, shapes, parts[0].skipped)


def merge_holdout(summary: dict[str, Any], folders: Sequence[Path], config: Config, choice: RuleChoice) -> None:
    """Add what one fold's model and the mean of all are worth on the pictures held out, as `holdout` measures it."""
    files = [file for folder in folders for file in folder.glob("holdout*_maps.npz")]
    files.sort(key=lambda file: int(file.name.removeprefix("holdout").removesuffix("_maps.npz")))
    if len(files) < config.folds.n:
        if files:
            print(f"no figures of the holdout: {len(files)} of {config.folds.n} folds have them here")
        return
    parts = [read_maps(file) for file in files]
    check_together(parts)
    best = best_place([part.value for part in parts], config.train.monitor_mode)
    values = np.array(list(_holdout_dice(parts, (Rule.of(config.predict), choice.rule))))
    row, rows = holdout_figures(config, values, best)
    summary["metrics"] = [*summary["metrics"], row]
    summary["ablation"] = [*summary["ablation"], *rows]


def _holdout_dice(parts: Sequence[FoldMaps], rules: Sequence[Rule]) -> Iterator[list[list[float]]]:
    """Of each picture, under each rule, the dice by each part alone and by the mean of all."""
    for place, each in enumerate(parts[0].seen):
        truth = decode(each.truth, *each.shape)
        yield [
            [dice(rule.mask(joined(some, place, rule.score)), truth) for rule in rules]
            for some in (*([part] for part in parts), parts)
        ]


def copy_worst(merged: Path, folders: Sequence[Path], pictures: Sequence[Scored]) -> None:
    """The worst pictures of all folds, each of which is among the worst of its own, as `overlays` draws them."""
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
    """The rows of an oof.csv in the order of `ids`, with the dice as the counts have it: unrounded."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = {row["ImageId"]: row for row in csv.DictReader(file)}
    if rows.keys() != set(ids):
        raise ValueError(f"{path.name} and {COUNTS} are not of the same pictures")
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
