"""One prediction from several views of an image: the models of several folds, and mirrored images.

The same instance in several views is found by the overlap of its boxes. Its mask is the mean over the views that saw
it, weighted by their scores; its score is a power mean over all views, and a view that missed it counts as 0. So the
views vote on whether there is an instance, softly, by their scores, and only those that saw it decide on its pixels. It
is weighted boxes fusion (Solovyev, Wang, Gabruseva 2019) for masks, with another mean of the scores. A single view is
unchanged, bit for bit.

Needs neither torch nor the config, because the merge of single folds runs on the user's machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Map = npt.NDArray[np.float32]

SAME = 0.3
"""Least IoU of the boxes of one instance in two views; see docs/model.md for other values."""


@dataclass(frozen=True)
class Instance:
    """An instance in a view: its score, and the part of its mask that is not 0 everywhere."""

    score: float
    top: int
    left: int
    values: Map
    """float32 (height, width): the probabilities in that part, whose first pixel is at (top, left)."""

    @property
    def bottom(self) -> int:
        """The first row below the part."""
        return self.top + len(self.values)

    @property
    def right(self) -> int:
        """The first column to the right of the part."""
        return self.left + int(self.values.shape[1])

    def overlap(self, other: Instance) -> float:
        """The IoU of the two parts."""
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        width = min(self.right, other.right) - max(self.left, other.left)
        both = max(height, 0) * max(width, 0)
        return both / max(self.values.size + other.values.size - both, 1)


View = Sequence[Instance]
"""The instances that one model predicts for an image, or for its mirror image, mirrored back."""


Scoring = Callable[[Sequence[float], int], float]
"""The score of an instance, of its scores in the views that saw it and the number of all views."""


POWER = 4
"""Exponent of the mean of scores; see `votes`, and docs/model.md for other means."""


def votes(scores: Sequence[float], views: int) -> float:
    """The power mean over all views, with 0 for one that missed it: it knows the number of views.

    With exponent 1, the mean, a threshold of 0.5 would act as "all must see it"; with an infinite one, the highest, one
    view would be enough, and of many views one is always wrong. With 4 a view that sees an instance alone has to be the
    surer, the more views there are: at a threshold of 0.5 it needs a score of 0.59 of 2 views, 0.71 of 4, 0.89 of 10.
    """
    return float((sum(score**POWER for score in scores) / views) ** (1 / POWER))


def fuse(views: Sequence[View], *, same: float = SAME, scoring: Scoring = votes) -> tuple[Instance, ...]:
    """The instances of all views together, those with the highest scores first; see the module."""
    if len(views) == 1:
        return tuple(views[0])
    every = [(instance, view) for view, instances in enumerate(views) for instance in instances]
    groups: list[dict[int, Instance]] = []
    for instance, view in sorted(every, key=lambda each: -each[0].score):
        # The first of a group has its highest score. A view has an instance once.
        near = [(next(iter(group.values())).overlap(instance), group) for group in groups if view not in group]
        overlap, group = max(near, key=lambda each: each[0], default=(0.0, {}))
        if overlap < same:
            groups.append(group := {})
        group[view] = instance
    fused = []
    for group in groups:
        found = list(group.values())
        fused.append(_mean(found, scoring([each.score for each in found], len(views))))
    return tuple(sorted(fused, key=lambda each: -each.score))


def _mean(seen: Sequence[Instance], score: float) -> Instance:
    """One instance with this score from those of the views that saw it."""
    weight = sum(each.score for each in seen)
    top, left = min(each.top for each in seen), min(each.left for each in seen)
    shape = (max(each.bottom for each in seen) - top, max(each.right for each in seen) - left)
    total = np.zeros(shape, np.float64)
    for each in seen:
        part = np.s_[each.top - top : each.bottom - top, each.left - left : each.right - left]
        total[part] += each.values * (each.score / weight)
    return Instance(score, top, left, total.astype(np.float32))


def united(instances: Sequence[Instance], score_threshold: float, size: int) -> Map:
    """float32 (size, size): the largest probability over the instances with at least this score; 0 without any."""
    found = np.zeros((size, size), np.float32)
    for each in instances:
        if each.score >= score_threshold:
            part = found[each.top : each.bottom, each.left : each.right]
            np.maximum(part, each.values, out=part)
    return found


def top_score(instances: Sequence[Instance]) -> float:
    """The highest score of an instance; 0 without any."""
    return max((each.score for each in instances), default=0.0)
