"""The tables of a run, byte by byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from model_src.output import write_oof, write_submission
from model_src.prediction.thresholds import Rule, RuleChoice
from model_src.score import Scored

SCORED = [
    Scored("b", fold=1, dice=2 / 3, truth_area=4, predicted_area=5, top_score=0.98765432, encoded="0 5"),
    Scored("a", fold=0, dice=1.0, truth_area=0, predicted_area=0, top_score=0.0, encoded="-1"),
]


def test_out_of_fold_rows(tmp_path: Path) -> None:
    """Sorted by ImageId, six digits; without a choice, or without a nested one, its columns are blank."""
    header = b"ImageId,fold,dice,dice_chosen,dice_nested,truth_area,predicted_area,top_score,EncodedPixels\n"
    path = tmp_path / "oof.csv"
    write_oof(path, SCORED)
    assert path.read_bytes() == header + b"a,0,1.000000,,,0,0,0.000000,-1\nb,1,0.666667,,,4,5,0.987654,0 5\n"
    choice = RuleChoice(Rule(0.5, 0.5, 0, 0.5), {}, np.array([0.25, 1.0]), np.array([0.125, 0.0]), [])
    write_oof(path, SCORED, choice)
    rows = b"a,0,1.000000,1.000000,0.000000,0,0,0.000000,-1\nb,1,0.666667,0.250000,0.125000,4,5,0.987654,0 5\n"
    assert path.read_bytes() == header + rows


def test_submission(tmp_path: Path) -> None:
    """Sorted by ImageId; an image that could not be read has an empty mask."""
    path = tmp_path / "submission.csv"
    write_submission(path, [("c", "0 5"), ("a", "-1")], {"a": (3, 4), "c": (3, 4)}, skipped=["b"])
    assert path.read_bytes() == b"ImageId,EncodedPixels\na,-1\nb,-1\nc,0 5\n"
