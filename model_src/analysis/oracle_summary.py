"""The bottleneck analysis of many pictures, from the scores of each; see oracle.py."""

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
"""In this order, because true proposals blank the empty pictures, too: so each step shows what is its own."""
PICTURES = "oracle_pictures.csv"

SPLIT = {
    "false_positive": "mask where there is none",
    "missed": "no mask where there is one",
    "disjoint": "masks that share no pixel",
    "partial": "masks that overlap",
}

Swaps = frozenset[str]

BASELINE: Swaps = frozenset()
RUNGS = tuple(frozenset(LADDER[: count + 1]) for count in range(len(LADDER)))
MEASURED = tuple(dict.fromkeys([BASELINE, *(frozenset({stage}) for stage in STAGES), *RUNGS]))
"""Every set of replaced stages that the analysis needs, once."""


@dataclass(frozen=True)
class Swapped:
    """One picture's scores."""

    baseline: ImageScore
    """Without any oracle."""
    dice: Mapping[Swaps, float]
    """With each set of stages replaced, the empty set among them."""


def summarize(pictures: Sequence[Swapped]) -> dict[str, Any]:
    """What metrics.json says.

    The baseline is cv/dice; where that averages mirrored pictures, it is what cv/dice would be without. `gain` of an
    oracle alone is over the baseline, of a rung of the ladder over the rung before.
    """
    mean = {swaps: statistics.fmean(each.dice[swaps] for each in pictures) for swaps in MEASURED}
    baseline, below = mean[BASELINE], mean[BASELINE]
    ladder = []
    for stage, swaps in zip(LADDER, RUNGS, strict=True):
        ladder.append({"name": f"+{stage}", "value": mean[swaps], "gain": mean[swaps] - below})
        below = mean[swaps]
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
    """(part, name, dice, gain, images) of everything that the analysis found; a kind of error has no dice."""
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
    """The table in three lines of the log."""
    alone = ", ".join(f"{each['name']} {each['gain']:+.4f}" for each in found["alone"])
    yield f"bottleneck: dice {found['baseline']:.4f}; with the truth in place of one stage: {alone}"
    ladder = ", ".join(f"{each['name']} {each['value']:.4f}" for each in found["ladder"])
    yield f"bottleneck: with the truth in place of one stage after the other: {ladder}"
    split = ", ".join(f"{SPLIT[name]} {each['loss']:.4f} ({each['images']})" for name, each in found["split"].items())
    yield f"bottleneck: lost by kind of error (images): {split}"


def write_pictures(path: Path, pictures: Sequence[Swapped]) -> None:
    """A row a picture, in their order, with every digit."""
    header = ["ImageId", "truth_area", "predicted_area", *(_column(swaps) for swaps in MEASURED)]
    rows = [
        [
            each.baseline.image_id,
            each.baseline.truth_area,
            each.baseline.predicted_area,
            *(repr(each.dice[swaps]) for swaps in MEASURED),
        ]
        for each in pictures
    ]
    write_csv(path, header, rows)


def read_pictures(path: Path) -> list[Swapped]:
    """What `write_pictures` has written."""
    found = []
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            dice = {swaps: float(row[_column(swaps)]) for swaps in MEASURED}
            areas = int(row["truth_area"]), int(row["predicted_area"])
            found.append(Swapped(ImageScore(row["ImageId"], dice[BASELINE], *areas), dice))
    return found


def _column(swaps: Swaps) -> str:
    return "+".join(stage for stage in LADDER if stage in swaps) or "dice"
