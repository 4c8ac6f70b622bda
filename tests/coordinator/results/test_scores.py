"""Scores of whole tables: the values of scikit-learn, and the same on drawn rows as on copies of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from coordinator.project import SCORES
from coordinator.results.scores import score_of

Array = NDArray[Any]
ROWS = 40


def _tables() -> list[tuple[str, Array, Array, float]]:
    """(score, targets, predictions, what scikit-learn 1.9.1 computes)."""
    rng = np.random.default_rng(5)
    truth = rng.integers(2, size=ROWS).astype(float)
    # Rounded, so that some are equal.
    likely = np.round(np.clip(0.3 * truth + rng.uniform(0.05, 0.65, size=ROWS), 0.01, 0.99), 1)
    grades = rng.integers(5, size=ROWS).astype(float)
    graded = np.clip(grades + rng.normal(0, 1, size=ROWS), 0, 4)
    classes, class_ = rng.dirichlet([1, 1, 1], size=ROWS), rng.integers(3, size=ROWS).astype(float)
    both = np.column_stack([1 - likely, likely])
    names = np.array(["cat", "dog", "eel"])
    return [
        ("auc", truth, likely[:, None], 0.8623737373737373),
        ("auc", truth, both, 0.8623737373737373),
        ("auc", np.array(["no", "yes"])[truth.astype(int)], likely[:, None], 0.8623737373737373),
        ("auc", 2 * truth - 1, likely[:, None], 0.8623737373737373),
        ("rmse", grades, graded[:, None], 0.7894112293808462),
        ("mae", grades, graded[:, None], 0.5515048478424591),
        ("logloss", truth, likely[:, None], 0.46266579290592064),
        ("logloss", class_, classes, 1.5094215078226934),
        ("logloss", names[class_.astype(int)], classes, 1.5094215078226934),
        ("accuracy", truth, likely[:, None], 0.725),
        ("accuracy", class_ + 1, classes, 0.375),
        ("accuracy", names[class_.astype(int)], names[classes.argmax(axis=1)][:, None], 0.375),
        ("accuracy", class_, classes.argmax(axis=1).astype(float)[:, None], 0.375),
        ("qwk", grades, graded[:, None], 0.8361581920903955),
    ]


def _by_sklearn(name: str, targets: Array, predictions: Array) -> float:
    metrics = pytest.importorskip("sklearn.metrics")
    one = predictions[:, -1]
    if name == "accuracy" and predictions.shape[1] > 1:
        _, numbers = np.unique(targets, return_inverse=True)
        return float(metrics.accuracy_score(numbers, predictions.argmax(axis=1)))
    if name == "accuracy" and one.dtype.kind == "f" and (one % 1 != 0).any():
        return float(metrics.accuracy_score(targets, one > 0.5))
    functions = {
        "auc": lambda: metrics.roc_auc_score(targets, one),
        "rmse": lambda: metrics.root_mean_squared_error(targets, one),
        "mae": lambda: metrics.mean_absolute_error(targets, one),
        "logloss": lambda: metrics.log_loss(targets, predictions if predictions.shape[1] > 1 else one),
        "accuracy": lambda: metrics.accuracy_score(targets, one),
        "qwk": lambda: metrics.cohen_kappa_score(targets, np.rint(one), weights="quadratic"),
    }
    return float(functions[name]())


def test_every_score_of_the_settings_is_here() -> None:
    """The settings accept these names, so each has a formula."""
    assert {name for name, *_ in _tables()} == set(SCORES)


@pytest.mark.parametrize(("name", "targets", "predictions", "expected"), _tables())
def test_the_value_is_that_of_scikit_learn(name: str, targets: Array, predictions: Array, expected: float) -> None:
    """Ties, one column or several, names of classes: as written down from scikit-learn."""
    (found,) = score_of(name, targets, predictions)(np.ones((1, ROWS)))
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("name", "targets", "predictions", "expected"), _tables())
def test_the_values_written_here_are_right(name: str, targets: Array, predictions: Array, expected: float) -> None:
    """Where scikit-learn is installed, it says so itself."""
    assert _by_sklearn(name, targets, predictions) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("name", "targets", "predictions", "expected"), _tables())
def test_counts_are_as_good_as_copies(name: str, targets: Array, predictions: Array, expected: float) -> None:
    """A row that was drawn three times weighs as three rows; what is known of the whole table stays known."""
    rng = np.random.default_rng(1)
    drawn = rng.integers(ROWS, size=(5, ROWS))
    counts = np.array([np.bincount(rows, minlength=ROWS) for rows in drawn], dtype=float)
    found = score_of(name, targets, predictions)(counts)
    copied = [float(score_of(name, targets[rows], predictions[rows])(np.ones((1, ROWS)))[0]) for rows in drawn]
    assert found == pytest.approx(copied, rel=1e-9)
    assert (found != expected).any()


def test_a_resample_of_one_class_has_no_value() -> None:
    """NaN, without a warning of numpy."""
    score = score_of("auc", np.array([0.0, 1.0]), np.array([[0.1], [0.9]]))
    assert np.isnan(score(np.array([[2.0, 0.0]]))).all()
    kappa = score_of("qwk", np.array([0.0, 1.0]), np.array([[0.0], [1.0]]))
    assert np.isnan(kappa(np.array([[2.0, 0.0]]))).all()


@pytest.mark.parametrize(
    ("name", "targets", "predictions", "message"),
    [
        ("auc", [0.0, 1.0, 2.0], [[0.1], [0.2], [0.3]], "auc with 2 classes, but the targets are 0.0, 1.0, 2.0"),
        ("auc", [0.0, 1.0], [[0.1, 0.2, 0.7], [0.3, 0.3, 0.4]], "auc takes one column"),
        ("rmse", [0.0, 1.0], [[0.1, 0.9], [0.2, 0.8]], "rmse takes one column of predictions, not 2"),
        ("mae", ["low", "high"], [[0.1], [0.2]], 'there are texts, such as "low", where numbers are needed'),
        ("logloss", [0.0, 1.0], [[-1.5], [2.5]], "logloss takes probabilities, from 0 to 1"),
        ("logloss", [0.0, 1.0], [[0.1, 0.1], [0.2, 0.3]], "logloss takes a column for each class"),
        ("accuracy", [0.0, 1.0], [["cat"], ["dog"]], "the targets are numbers and the predictions texts"),
        ("qwk", [0.0, 5.0, 7.0], [[0.2, 0.8]] * 3, "qwk with 2 classes, but the targets are 0.0, 5.0, 7.0"),
    ],
)
def test_what_has_no_score(name: str, targets: list[Any], predictions: list[Any], message: str) -> None:
    """Rather than a number that means nothing."""
    with pytest.raises(ValueError, match=message):
        score_of(name, np.array(targets), np.array(predictions))
