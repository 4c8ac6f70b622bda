"""Folds that cannot be trained or measured are refused before the first one."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from model_src.config import Config, FoldsConfig, TrainConfig
from model_src.data.folds import make_folds
from model_src.data.load import Data
from model_src.training import check_folds
from tests.model_src.labelled import made_up


@pytest.mark.parametrize(
    ("masks", "settings", "message"),
    [
        # Both images with a mask are of one patient, or there is one only.
        ("0 0", {}, r"fold \d has no image with a mask to train on; 2 of 20 images have one, of 1 patient; "),
        ("0", {}, r"fold \d has no image with a mask to train on; 1 of 20 images has one, of 1 patient; "),
        ("0 1", {"micro_batches": 4}, r"an epoch of fold \d has 2 images, too few for a step in 4 parts; "),
        ("0 1", {"monitor": "val/dice_positive"}, r"fold \d has no image with a mask to validate, .*val/dice_positive"),
    ],
)
def test_folds_that_cannot_be_trained_are_refused_before_the_first(
    masks: str, settings: dict[str, Any], message: str
) -> None:
    """What would end the run at its fourth fold ends it at once; folds that do not run do not matter."""
    whose = [int(patient) for patient in masks.split()]
    images = [(f"m{number}", "0 3", f"p{patient}") for number, patient in enumerate(whose)]
    images += [(f"{number:02}", "", f"q{number}") for number in range(20 - len(whose))]
    data = made_up(images, extra=0)
    config = Config(train=TrainConfig(batch_size=4, **settings))
    fold_of = make_folds(config, data)
    with pytest.raises(ValueError, match=message) as caught:
        check_folds(config, data, fold_of)
    bad = re.search(r"fold (\d)", str(caught.value))
    assert bad
    good = [fold for fold in range(5) if not _refused(config, data, fold_of, fold)]
    assert int(bad[1]) not in good
    if good:
        check_folds(replace(config, folds=FoldsConfig(run=tuple(good))), data, fold_of)


def _refused(config: Config, data: Data, fold_of: dict[str, int], fold: int) -> bool:
    try:
        check_folds(replace(config, folds=FoldsConfig(run=(fold,))), data, fold_of)
    except ValueError:
        return True
    return False
