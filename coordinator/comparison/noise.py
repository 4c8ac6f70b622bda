"""The noise floor: how much single runs of one config differ by chance."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from coordinator.comparison import intervals as statistics
from coordinator.comparison.candidates import Candidate
from coordinator.comparison.configs import attached
from coordinator.comparison.intervals import Spread
from coordinator.comparison.sides import Side, side_of
from coordinator.project import Project

_NAMED = 4


@dataclasses.dataclass(frozen=True)
class Floor:
    """The noise floor: the standard deviation of single runs of one config, from all configs with repeats."""

    spread: Spread
    configs: tuple[str, ...]

    @property
    def of(self) -> str:
        """Its configs in a few words: `a, b, c, d and 196 more`."""
        more = len(self.configs) - _NAMED
        return ", ".join(self.configs[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def noise_floor(project: Project, candidates: Iterable[Candidate], metric: str, like: Sequence[Side]) -> Floor | None:
    """The spread of single runs over seeds: pooled over all configs that have repeats in that metric.

    Only configs count that read the same data as one of the sides `like`, by the settings named in `attached` and, if
    both are known, the number of images: a single fold is noisier than all of them.
    """
    data = {attached(project, each.config) for each in like}
    known = {each.name: each for each in like}
    counts = {repeat.images for each in like for repeat in each.repeats} - {None}
    groups = {}
    for candidate in candidates:
        if attached(project, candidate.config) not in data or candidate.mode_of(metric) is None:
            continue
        found = known.get(candidate.name) or side_of(project, candidate, metric)
        is_alike = not counts or {repeat.images for repeat in found.repeats} - {None} <= counts
        # Without any spread the seeds change nothing: that does not measure the noise.
        values = found.values
        if is_alike and len(values) > 1 and not statistics.is_rounding(statistics.sd_of(values), values):
            groups[candidate.name] = values
    spread = statistics.pooled(groups.values())
    return Floor(spread, tuple(groups)) if spread is not None else None
