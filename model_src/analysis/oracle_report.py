"""The bottleneck analysis for its reader: a table, a picture, a line in the log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from ..files import write_csv
from ..output import Bar, bar_chart, save_png


def oracle_rows(found: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str, int]]:
    """(part, name, dice, gain, images) of everything that the analysis found; a kind of error has no dice."""
    yield "baseline", "baseline", f"{found['baseline']:.6f}", "", found["images"]
    for part in ("alone", "ladder"):
        for each in found[part]:
            yield part, each["name"], f"{each['value']:.6f}", f"{each['gain']:.6f}", found["images"]
    for name, each in found["split"].items():
        yield "split", name, "", f"{0.0 - each['loss']:.6f}", each["images"]


def write_oracle(output: Path, found: Mapping[str, Any]) -> None:
    """The table and the picture."""
    write_csv(output / "oracle.csv", ["part", "name", "dice", "gain", "images"], oracle_rows(found))
    save_png(output / "oracle.png", oracle_chart(found))


ALONE = {
    "rpn": "rpn: true proposals",
    "cls": "cls: true scores",
    "box": "box: true boxes",
    "mask": "mask: true masks",
    "pres": "pres: empty ones blanked",
}
SPLIT = {
    "false_positive": "mask where there is none",
    "missed": "no mask where there is one",
    "disjoint": "masks that share no pixel",
    "partial": "masks that overlap",
}


def oracle_chart(found: Mapping[str, Any]) -> Image.Image:
    """Three groups of bars: each oracle alone, the ladder from the baseline to 1, the loss by kind of error."""
    baseline = found["baseline"]
    alone = [
        Bar(ALONE[each["name"]], baseline, each["value"], f"{each['value']:.4f}  ({each['gain']:+.4f})")
        for each in found["alone"]
    ]
    ladder = [
        Bar(each["name"], each["value"] - each["gain"], each["value"], f"{each['value']:.4f}  ({each['gain']:+.4f})")
        for each in found["ladder"]
    ]
    split = [
        Bar(SPLIT[name], each["loss"], 0.0, f"{each['loss']:.4f}  ({each['images']} images)")
        for name, each in found["split"].items()
    ]
    lost = sum(each["loss"] for each in found["split"].values())
    return bar_chart(
        f"Where the dice goes: {baseline:.4f} out of fold, {found['images']} images",
        [
            ("One stage replaced by the truth, the rest kept", alone),
            ("Stages replaced one after the other", ladder),
            (f"Lost by kind of error, {lost:.4f} in all", split),
        ],
    )


def oracle_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """The table in three lines of the log."""
    alone = ", ".join(f"{each['name']} {each['gain']:+.4f}" for each in found["alone"])
    yield f"bottleneck: dice {found['baseline']:.4f}; with the truth in place of one stage: {alone}"
    ladder = ", ".join(f"{each['name']} {each['value']:.4f}" for each in found["ladder"])
    yield f"bottleneck: with the truth in place of one stage after the other: {ladder}"
    split = ", ".join(f"{SPLIT[name]} {each['loss']:.4f} ({each['images']})" for name, each in found["split"].items())
    yield f"bottleneck: lost by kind of error (images): {split}"
