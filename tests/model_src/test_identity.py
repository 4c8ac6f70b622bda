"""Which runs may be continued: settings that may differ, and when a finished fold is trained further."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from model_src import identity
from model_src.config import Config, TrainConfig, to_dict
from tests.model_src.session_root import changed


def values(**sections: Any) -> dict[str, Any]:
    """The default config with changes, in plain values."""
    return changed(to_dict(Config()), **sections)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"schedule": {"name": "cosine"}}, "schedule.name: cosine"),
        ({"train": {"negatives_per_positive_end": 2.0}}, "train.negatives_per_positive_end"),
    ],
)
def test_more_epochs_are_allowed_where_nothing_depends_on_their_number(section: dict[str, Any], said: str) -> None:
    """Allowed with a step schedule; not with a cosine, or a ratio that changes until the last epoch."""
    longer = {"epochs": 20}
    assert identity.differences(values(), values(train=longer)) == []
    before = values(**section)
    after = changed(before, train=longer)
    assert identity.differences(before, after) == [("train.epochs", 10, 20)]
    with pytest.raises(ValueError, match=rf"continued: train.epochs was 10, is 20 \({said} spans all epochs\)$"):
        identity.check_identity(
            {"config": before, "pictures": ""}, {"config": after, "pictures": ""}, Path("fold0.pth")
        )


@pytest.mark.parametrize(
    ("before", "after", "differs"), [(3, 6, False), (3, 0, False), (3, 2, True), (0, 3, True), (3, 3, False)]
)
def test_more_patience_is_as_good_as_a_pause(before: int, after: int, differs: bool) -> None:
    """With less patience the earlier run would have stopped before."""
    found = identity.differences(values(train={"patience": before}), values(train={"patience": after}))
    assert found == ([("train.patience", before, after)] if differs else [])


@pytest.mark.parametrize(
    ("best", "epochs", "patience", "trained_on"),
    [
        (4, 4, 3, False),
        (4, 8, 3, True),
        (1, 8, 3, False),
        (1, 8, 4, True),
        (1, 8, 0, True),
        (2, 8, 3, True),
    ],
)
def test_finished_fold_is_trained_on_where_one_in_a_piece_would_be(
    best: int, epochs: int, patience: int, trained_on: bool
) -> None:
    """After four epochs: if there are more epochs, and if early stopping would not have ended it there."""
    finished = {"epoch": best, "history": [{"epoch": each, "metrics": {"val/dice": 0.5}} for each in (1, 2, 3, 4)]}
    expected = {"config": values(train={"epochs": epochs, "patience": patience})}
    assert identity.needs_training(finished, expected) is trained_on


def test_epochs_without_an_evaluation_use_no_patience() -> None:
    """Patience counts evaluations, not epochs."""
    metrics = [{"val/dice": 0.5}, {}, {"val/dice": 0.4}, {}]
    finished = {"epoch": 1, "history": [{"epoch": epoch, "metrics": each} for epoch, each in enumerate(metrics, 1)]}
    for patience, trained_on in ((1, False), (2, True)):
        expected = {"config": values(train={"epochs": 8, "patience": patience})}
        assert identity.needs_training(finished, expected) is trained_on


def test_settings_that_the_earlier_run_did_not_know() -> None:
    """At their defaults they are as not there: a newer model source continues the run; not with other values."""
    before = to_dict(Config())
    del before["train"]["ema"], before["model"]["mask_loss"]["focal"]
    assert identity.differences(before, to_dict(Config())) == []
    assert identity.differences(before, to_dict(Config(train=TrainConfig(ema=0.5)))) == [("train.ema", 0.0, 0.5)]


def test_what_predicts_may_change_and_the_holdout_may_not() -> None:
    """Settings of the prediction do not change weights; the holdout does."""
    before = to_dict(Config(train=TrainConfig(average_best=3)))
    other = changed(before, predict={"weights": "average", "folds": "best"}, folds={"holdout": 0.1})
    assert identity.differences(before, other) == [("folds.holdout", 0.0, 0.1)]
    fewer = changed(before, train={"average_best": 2})
    assert identity.differences(before, fewer) == [("train.average_best", 3, 2)]
