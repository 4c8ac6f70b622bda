"""What the runs of single folds could not know: the rule for masks that is best on all folds, and what it is worth.

    python -m model_src.merge MERGED FOLDER...

MERGED has metrics.json and oof.csv of all folds together (`coord sweep merge` puts them there), each FOLDER is what the
run of one fold has left. The rule is chosen from what every rule would score on each picture (`counts.npz`, which each
run writes), so that no model predicts anything again, and the figures are those of one run of all folds.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .config import Config, from_dict
from .outputs import figures, write_csv, write_oof
from .report import finite, write_text
from .score import Scored
from .thresholds import Counts, Rule, choose, grid
from .thresholds import summary as choice_summary

COUNTS = "counts.npz"


def main(arguments: Sequence[str]) -> int:
    """Complete what lies in the first folder."""
    merged, *folders = map(Path, arguments)
    summary = json.loads((merged / "metrics.json").read_text(encoding="utf-8"))
    config = from_dict(summary["config"])
    ids, counts = read_counts(folders)
    scored = read_scored(merged / "oof.csv", ids, counts, config)
    choice = choose(counts, grid(config.evaluate, Rule.of(config.predict))[2])
    write_oof(merged / "oof.csv", scored, choice)
    curve = [[f"{value:.6g}" for value in row.values()] for row in choice.curve]
    write_csv(merged / "thresholds.csv", list(choice.curve[0]), curve)
    summary |= {"choice": choice_summary(choice), **figures(config, scored, choice)}
    write_text(merged / "metrics.json", json.dumps(finite(summary), indent=2) + "\n")
    return 0


def write_counts(path: Path, ids: Sequence[str], counts: Counts) -> None:
    """Keep the counts of a run's pictures, whose ImageIds these are."""
    unfinished = path.with_name(f"{path.name}.tmp")
    with unfinished.open("wb") as file:
        np.savez_compressed(
            file,
            ids=np.array(ids),
            scores=np.array(counts.scores),
            thresholds=np.array(counts.thresholds),
            folds=counts.folds,
            pixels=counts.pixels,
            truth=counts.truth,
            area=counts.area,
            overlap=counts.overlap,
        )
    unfinished.replace(path)


def read_counts(folders: Sequence[Path]) -> tuple[list[str], Counts]:
    """The ImageIds and counts of all folders' pictures, in the order of the folders.

    Raises ValueError when they were counted at different thresholds.
    """
    found = [dict(np.load(folder / COUNTS, allow_pickle=False)) for folder in folders]
    for each in found:
        if any(each[name].tolist() != found[0][name].tolist() for name in ("scores", "thresholds")):
            raise ValueError("the folds' runs tried different thresholds")
    parts = {
        name: np.concatenate([each[name] for each in found])
        for name in ("ids", "folds", "pixels", "truth", "area", "overlap")
    }
    ids = [str(each) for each in parts.pop("ids")]
    scores, thresholds = (tuple(map(float, found[0][name])) for name in ("scores", "thresholds"))
    return ids, Counts(scores=scores, thresholds=thresholds, **parts)


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
