"""Learning curves: which points are drawn, and that a picture comes of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from model_src.output.charts import Line
from model_src.output.curves import curves, write_curves

EPOCHS = [
    {"event": "epoch", "fold": fold, "epoch": epoch, "metrics": {"train/loss": 2.0 / epoch, "val/dice": value}}
    for fold in (1, 0)
    for epoch, value in ((1, None), (2, 0.5 + fold / 10), (3, 0.7))
]


def test_an_epoch_without_the_metric_has_no_point() -> None:
    """Curves are by fold, in the folds' order, of the epochs that were evaluated."""
    assert curves(EPOCHS, "val/dice") == [
        Line("fold 0", ((2, 0.5), (3, 0.7))),
        Line("fold 1", ((2, 0.6), (3, 0.7))),
    ]
    assert curves(EPOCHS, "val/loss") == []


def test_the_picture_has_a_curve_of_each_fold(tmp_path: Path) -> None:
    """Both folds' colours are in learning.png; without an epoch there is no picture."""
    (tmp_path / "metrics.jsonl").write_text('{"event": "start"}\n')
    write_curves(tmp_path)
    assert not (tmp_path / "learning.png").exists()
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(event) + "\n" for event in EPOCHS))
    write_curves(tmp_path)
    pixels = np.asarray(Image.open(tmp_path / "learning.png").convert("RGB")).reshape(-1, 3)
    for color in ((0, 114, 178), (213, 94, 0)):
        assert (pixels == color).all(axis=1).sum() > 200


def test_other_repeats_are_not_drawn(tmp_path: Path) -> None:
    """Their folds have the numbers of the first repeat's, and would go into its curves."""
    drawn = []
    for events in (EPOCHS, [*EPOCHS, {**EPOCHS[1], "seed": 1, "epoch": 9}]):
        (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
        write_curves(tmp_path)
        drawn.append((tmp_path / "learning.png").read_bytes())
    assert drawn[0] == drawn[1]


def test_one_epoch_is_drawn_too(tmp_path: Path) -> None:
    """A single point on each axis is no division by zero."""
    (tmp_path / "metrics.jsonl").write_text(json.dumps(EPOCHS[1]) + "\n")
    write_curves(tmp_path)
    assert (tmp_path / "learning.png").is_file()
