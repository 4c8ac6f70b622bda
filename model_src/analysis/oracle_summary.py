"""Summary and tables of the bottleneck analysis, from the dice of each image; see oracle.py."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..files import write_csv
from ..score import ImageScore, split_loss

STAGES = ("rpn", "cls", "box", "mask", "pres")
LADDER = ("pres", "rpn", "cls", "box", "mask")
"""The order of the ladder. `pres` comes first, because `rpn` empties images without a true mask, too."""
PICTURES = "oracle_pictures.csv"

SPLIT = {
    "false_positive": "mask where there is none",
    "missed": "no mask where there is one",
    "disjoint": "masks that share no pixel",
    "partial": "masks that overlap",
}

StageSet = frozenset[str]

BASELINE: StageSet = frozenset()
RUNGS = tuple(frozenset(LADDER[: count + 1]) for count in range(len(LADDER)))
MEASURED = tuple(dict.fromkeys([BASELINE, *(frozenset({stage}) for stage in STAGES), *RUNGS]))
"""Every set of replaced stages in the analysis, once."""


@dataclass(frozen=True)
class OracleScores:
    """The dice of an image."""

    baseline: ImageScore
    """Without oracles."""
    dice: Mapping[StageSet, float]
    """By the set of replaced stages, which may be empty."""


def summarize(pictures: Sequence[OracleScores]) -> dict[str, Any]:
    """The analysis as it is in metrics.json.

    The baseline is cv/dice without test-time augmentation. `gain` is the difference to the baseline for a single
    oracle, and to the step before for a step of the ladder.
    """
    mean = {stages: statistics.fmean(each.dice[stages] for each in pictures) for stages in MEASURED}
    baseline, below = mean[BASELINE], mean[BASELINE]
    ladder = []
    for stage, stages in zip(LADDER, RUNGS, strict=True):
        ladder.append({"name": f"+{stage}", "value": mean[stages], "gain": mean[stages] - below})
        below = mean[stages]
    split = split_loss([each.baseline for each in pictures])
    return {
        "metric": "cv/dice",
        "tta": "none",
        "images": len(pictures),
        "baseline": baseline,
        "alone": [
            {"name": stage, "value": mean[frozenset({stage})], "gain": mean[frozenset({stage})] - baseline}
            for stage in STAGES
        ],
        "ladder": ladder,
        "split": {
            name: {"loss": part.loss, "images": part.images}
            for name, part in (
                ("false_positive", split.false_positive),
                ("missed", split.missed),
                ("disjoint", split.disjoint),
                ("partial", split.partial),
            )
        },
    }


def oracle_rows(found: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str, int]]:
    """The rows (part, name, dice, gain, images) of oracle.csv; a kind of error has no dice."""
    yield "baseline", "baseline", f"{found['baseline']:.6f}", "", found["images"]
    for part in ("alone", "ladder"):
        for each in found[part]:
            yield part, each["name"], f"{each['value']:.6f}", f"{each['gain']:.6f}", found["images"]
    for name, each in found["split"].items():
        yield "split", name, "", f"{0.0 - each['loss']:.6f}", each["images"]


def write_oracle(output: Path, found: Mapping[str, Any]) -> None:
    """Write the table oracle.csv."""
    write_csv(output / "oracle.csv", ["part", "name", "dice", "gain", "images"], oracle_rows(found))


def oracle_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """The analysis as three lines for the log."""
    alone = ", ".join(f"{each['name']} {each['gain']:+.4f}" for each in found["alone"])
    yield f"bottleneck: dice {found['baseline']:.4f}; gain with the truth in place of one stage: {alone}"
    ladder = ", ".join(f"{each['name']} {each['value']:.4f}" for each in found["ladder"])
    yield f"bottleneck: dice with the truth in place of one stage after the other: {ladder}"
    split = ", ".join(f"{SPLIT[name]} {each['loss']:.4f} ({each['images']})" for name, each in found["split"].items())
    yield f"bottleneck: loss by kind of error (images): {split}"


def write_pictures(path: Path, pictures: Sequence[OracleScores]) -> None:
    """Write one row per image with all digits."""
    header = ["ImageId", "truth_area", "predicted_area", *(_column(stages) for stages in MEASURED)]
    rows = [
        [
            each.baseline.image_id,
            each.baseline.truth_area,
            each.baseline.predicted_area,
            *(repr(each.dice[stages]) for stages in MEASURED),
        ]
        for each in pictures
    ]
    write_csv(path, header, rows)


def read_pictures(path: Path) -> list[OracleScores]:
    """Read a file of `write_pictures`."""
    found = []
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            dice = {stages: float(row[_column(stages)]) for stages in MEASURED}
            areas = int(row["truth_area"]), int(row["predicted_area"])
            found.append(OracleScores(ImageScore(row["ImageId"], dice[BASELINE], *areas), dice))
    return found


def _column(stages: StageSet) -> str:
    return "+".join(stage for stage in LADDER if stage in stages) or "dice"
