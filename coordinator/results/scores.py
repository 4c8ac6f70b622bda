"""Scores of a whole table of predictions, also on resampled rows: how often each row was drawn is its weight.

A score takes counts, shape (resamples, rows), and gives a value for each resample, NaN where it has none (one class
only, say). So no row is copied, and nothing is sorted twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from coordinator.results.readers.points import number_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_ROUNDED = 0.01  # how far a row of probabilities may be from 1: they may be written with few digits
Score = Callable[["Floats"], "Floats"]


def score_of(name: str, targets: NDArray[Any], predictions: NDArray[Any]) -> Score:
    """The score of that name (`coordinator.project.SCORES`) of these rows: shapes (rows,) and (rows, columns).

    Raises ValueError if it has no meaning for them.
    """
    return _SCORES[name](targets, predictions)


def _auc(targets: NDArray[Any], predictions: NDArray[Any]) -> Score:
    """The area under the ROC curve as the Mann-Whitney statistic, ties counted half: Hanley & McNeil (1982)."""
    import numpy as np

    is_positive, scores = _binary("auc", targets), _numbers(predictions)
    if scores.shape[1] > 2:
        raise ValueError("auc takes one column of predictions (or two, for both classes); score with module:function")
    order = np.argsort(scores[:, -1], kind="stable")
    ordered = scores[order, -1]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    positive = is_positive[order].astype(np.float64)

    def score(counts: Floats) -> Floats:
        drawn = np.take(counts, order, axis=1)
        positives = drawn * positive
        negatives = drawn - positives
        if len(starts) < len(order):  # equal predictions are one place in the order
            positives, negatives = (np.add.reduceat(each, starts, axis=1) for each in (positives, negatives))
        below = np.cumsum(negatives, axis=1)
        total = below[:, -1].copy()
        below -= negatives / 2
        pairs = positives.sum(axis=1) * total
        found: Floats = np.einsum("ij,ij->i", positives, below) / np.where(pairs > 0, pairs, np.nan)
        return found

    return score


def _rmse(targets: NDArray[Any], predictions: NDArray[Any]) -> Score:
    import numpy as np

    errors = (_numbers(targets) - _one_column("rmse", predictions)) ** 2
    return lambda counts: np.sqrt(_means(counts, errors)[:, 0])


def _mae(targets: NDArray[Any], predictions: NDArray[Any]) -> Score:
    import numpy as np

    errors = np.abs(_numbers(targets) - _one_column("mae", predictions))
    return lambda counts: _means(counts, errors)[:, 0]


def _logloss(targets: NDArray[Any], predictions: NDArray[Any]) -> Score:
    """The mean negative log-likelihood, with probabilities of at least 2.2e-16: as scikit-learn's log_loss.

    Columns stand for the classes in sorted order.
    """
    import numpy as np

    given = _numbers(predictions)
    if given.shape[1] == 1:
        given = np.hstack([1 - given, given])
    if ((given < -1e-6) | (given > 1 + 1e-6)).any():
        raise ValueError("logloss takes probabilities, from 0 to 1")
    if (np.abs(given.sum(axis=1) - 1) > _ROUNDED).any():
        raise ValueError(
            f"logloss takes a column for each class, and those of a row add up to 1: {given.shape[1]} columns"
        )
    tiny = np.finfo(np.float64).eps
    chosen = given[np.arange(len(given)), _classes("logloss", targets, given.shape[1])]
    losses = -np.log(np.clip(chosen, tiny, 1 - tiny))[:, None]
    return lambda counts: _means(counts, losses)[:, 0]


def _accuracy(targets: NDArray[Any], predictions: NDArray[Any]) -> Score:
    """The share of right classes: the class of the largest column; of one column the class itself, or, if these are
    probabilities of 1, whether they are above 0.5.
    """
    import numpy as np

    if predictions.shape[1] > 1:
        chosen = _numbers(predictions).argmax(axis=1)
        right = _classes("accuracy", targets, predictions.shape[1]) == chosen
    elif predictions.dtype.kind == "f" and (predictions % 1 != 0).any():
        right = _binary("accuracy", targets) == (predictions[:, 0] > 0.5)
    elif predictions.dtype.kind != targets.dtype.kind:
        raise ValueError("the targets are numbers and the predictions texts, or the other way round")
    else:
        right = targets == predictions[:, 0]
    values = right.astype(np.float64)[:, None]
    return lambda counts: _means(counts, values)[:, 0]


def _qwk(targets: NDArray[Any], predictions: NDArray[Any]) -> Score:
    """Cohen's kappa with quadratic weights: Cohen (1968), Psychological Bulletin 70.

    Predictions are rounded; of several columns the largest is the class.

    1 - E(t - p)^2 / (E t^2 + E p^2 - 2 E t E p): the denominator is the disagreement of independent raters.
    """
    import numpy as np

    if predictions.shape[1] > 1:
        truth = _classes("qwk", targets, predictions.shape[1]).astype(np.float64)
        rated = _numbers(predictions).argmax(axis=1).astype(np.float64)
    else:
        truth, rated = np.rint(_numbers(targets))[:, 0], np.rint(_numbers(predictions))[:, 0]
    middle = truth.mean()
    truth, rated = truth - middle, rated - middle  # differences of large numbers lose digits
    columns = np.column_stack([truth, rated, truth**2, rated**2, (truth - rated) ** 2])

    def score(counts: Floats) -> Floats:
        t, p, t2, p2, apart = _means(counts, columns).T
        by_chance = t2 + p2 - 2 * t * p
        found: Floats = 1 - apart / np.where(by_chance > 0, by_chance, np.nan)
        return found

    return score


_SCORES: dict[str, Callable[[NDArray[Any], NDArray[Any]], Score]] = {
    "auc": _auc,
    "rmse": _rmse,
    "mae": _mae,
    "logloss": _logloss,
    "accuracy": _accuracy,
    "qwk": _qwk,
}


def _means(counts: Floats, values: Floats) -> Floats:
    """The mean of each column over the drawn rows: (resamples, rows) and (rows, columns) -> (resamples, columns)."""
    found: Floats = (counts @ values) / counts.sum(axis=1, keepdims=True)
    return found


def _numbers(values: NDArray[Any]) -> Floats:
    import numpy as np

    if values.dtype.kind not in "fiub":
        text = next(each for each in values.flat if number_of(str(each)) is None)
        raise ValueError(f'there are texts, such as "{text}", where numbers are needed')
    found = np.asarray(values, dtype=np.float64)
    return found if found.ndim == 2 else found[:, None]


def _one_column(name: str, predictions: NDArray[Any]) -> Floats:
    if predictions.shape[1] != 1:
        raise ValueError(f"{name} takes one column of predictions, not {predictions.shape[1]}")
    return _numbers(predictions)


def _binary(name: str, targets: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether a target is the second of the two classes."""
    found: NDArray[np.bool_] = _classes(name, targets, 2) == 1
    return found


def _classes(name: str, targets: NDArray[Any], count: int) -> NDArray[np.int64]:
    """The number of each target's class. Whole numbers below `count` are that; other classes count in sorted order."""
    import numpy as np

    known, found = np.unique(targets, return_inverse=True)
    if targets.dtype.kind == "f" and (known % 1 == 0).all() and known[0] >= 0 and known[-1] < count:
        return targets.astype(np.int64)
    if len(known) != count:
        shown: Sequence[Any] = [each.item() for each in known[:5]]
        more = " and more" if len(known) > len(shown) else ""
        raise ValueError(f"{name} with {count} classes, but the targets are {', '.join(map(str, shown))}{more}")
    return found.astype(np.int64)
