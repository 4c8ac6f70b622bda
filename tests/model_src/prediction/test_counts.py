"""The counts of every image in a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model_src.prediction.counts import COUNTS, read_counts, write_counts
from model_src.prediction.thresholds import Counts


def test_counts_of_several_runs_are_joined_or_refused(tmp_path: Path) -> None:
    """In the order of the folders; different thresholds or a missing variant are errors."""
    one, other = (
        Counts(
            scores=(0.5,),
            thresholds=(threshold,),
            folds=np.zeros(1, np.int64),
            pixels=np.ones(1, np.int64),
            truth=np.ones(1, np.int64),
            area=np.ones((1, 1, 1), np.int64),
            overlap=np.ones((1, 1, 1), np.int64),
        )
        for threshold in (0.5, 0.6)
    )
    for name, counts in (("a", one), ("b", other), ("c", one)):
        (tmp_path / name).mkdir()
        write_counts(tmp_path / name / COUNTS, [name], {"best-none": counts})
    with pytest.raises(ValueError, match="tried different thresholds"):
        read_counts([tmp_path / "a", tmp_path / "b"], ["best-none"])
    with pytest.raises(ValueError, match="has no area best-hflip: another model source has written it"):
        read_counts([tmp_path / "a"], ["best-none", "best-hflip"])
    ids, found = read_counts([tmp_path / "c", tmp_path / "a"], ["best-none"])
    assert ids == ["c", "a"]
    assert found["best-none"].area.shape == (2, 1, 1)
