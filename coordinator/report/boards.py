"""The leaderboards: a row a config with the mean over its seeds, and whether it is better than another or was lucky.

What may be said is what `coord compare` says, of the same repeats and with the same noise floor.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from statistics import fmean, stdev

from coordinator.comparison import (
    ALPHA,
    Candidate,
    Floor,
    Interval,
    Repeat,
    Sample,
    Side,
    Verdict,
    attached,
    images,
    judge,
    noise_floor,
    side_of,
)
from coordinator.errors import TargetError
from coordinator.ledger import Run
from coordinator.project import Project
from coordinator.results import OutOfFold

_SEED = re.compile(r"-s\d+(?=(-f\d+)?$)")  # as a sweep names its experiments; a fold comes last
_WORDS = {"noise": "within the noise", "unknown": "not known"}
_BOOTSTRAPS = 8  # configs without repeats that are compared image by image; each takes a moment

Rows = Mapping[Repeat, OutOfFold]


@dataclasses.dataclass(frozen=True)
class Entry:
    """One config."""

    name: str
    runs: tuple[Run, ...]
    """Newest first; repeats of one another."""
    side: Side
    """Its values of the board's metric."""
    is_baseline: bool = False
    verdict: Verdict | None = None
    """Against the board's baseline."""
    interval: Interval | None = None
    """This config minus the baseline."""
    difference: float | None = None

    @property
    def mean(self) -> float:
        return fmean(self.side.values)

    @property
    def sd(self) -> float | None:
        return stdev(self.side.values) if len(self.side.values) > 1 else None

    @property
    def seconds(self) -> float | None:
        """What one run takes, on average."""
        known = [took for run in self.runs if (took := run.reported.seconds) is not None]
        return fmean(known) if known else None

    @property
    def words(self) -> str:
        """The verdict in two words."""
        if self.verdict is None:
            return ""
        if self.verdict.winner is None:
            return _WORDS[self.verdict.kind]
        way = "better" if self.verdict.winner == self.name else "worse"
        return way if self.verdict.kind == "better" else f"likely {way}"


@dataclasses.dataclass(frozen=True)
class Board:
    """Configs with one metric, measured on the same data; the best first."""

    metric: str
    mode: str
    images: int | None
    entries: tuple[Entry, ...]
    level: float
    """Of each interval: 95%, or more where several are looked at (Bonferroni)."""
    floor: Floor | None

    @property
    def direction(self) -> str:
        return {"max": "higher is better", "min": "lower is better"}.get(self.mode, "direction not known")

    @property
    def baseline(self) -> Entry | None:
        return next((entry for entry in self.entries if entry.is_baseline), None)


def boards(
    project: Project,
    found: Sequence[Candidate],
    everything: Sequence[Candidate],
    *,
    hidden: Collection[str] = (),
    baseline: Collection[str] = (),
    name: str | None = None,
) -> list[Board]:
    """The leaderboards of these configs, by their primary metrics; on other images they are on a board of their own.

    `everything` has the configs that say how large the noise is. A config whose runs are all in `hidden` (ids) is left
    out: they are parts of other runs. Each is compared with the one of that name, or that has a run in `baseline`
    (ids), or else with the best of its board.
    """
    candidates = [each for each in found if any(run.id not in hidden for run in each.runs)]
    names = _names(candidates)
    grouped: dict[tuple[str, str], list[tuple[Entry, Rows]]] = {}
    for each in candidates:
        if each.primary is not None and each.primary in each.modes:
            values = side_of(project, each, each.primary)
            # What was set is in the table of settings.
            notes = tuple(note for note in values.notes if " with --set " not in note)
            values = dataclasses.replace(values, name=names[each.runs[0].id], notes=notes)
            entry = Entry(values.name, each.runs, values)
            grouped.setdefault((each.primary, each.modes[each.primary]), []).append(
                (entry, _rows(values, each.primary))
            )
    return [
        _board(project, metric, mode, alike, everything, baseline, name)
        for (metric, mode), group in grouped.items()
        for alike in _by_data(project, group)
    ]


def _board(
    project: Project,
    metric: str,
    mode: str,
    group: Sequence[tuple[Entry, Rows]],
    everything: Sequence[Candidate],
    baseline: Collection[str],
    name: str | None,
) -> Board:
    sign = 1 if mode == "min" else -1
    # Rounded: the same values summed in another order are a tie. Of equal ones, the one with more repeats leads.
    ranked = sorted(group, key=lambda pair: (sign * float(f"{pair[0].mean:.12g}"), -len(pair[0].side.values)))
    entries = [entry for entry, _ in ranked]
    level = 1 - ALPHA / max(len(ranked) - 1, 1)
    count = _count(entries[0].side)
    if mode not in ("max", "min"):
        return Board(metric, mode, count, tuple(entries), level, None)
    floor = noise_floor(project, everything, metric, [entry.side for entry in entries])
    named = [pair for pair in ranked if pair[0].name == name]
    named += [pair for pair in ranked if any(run.id in baseline for run in pair[0].runs)]
    best = [*named, *ranked][0]
    is_quick = len(ranked) <= _BOOTSTRAPS
    compared = tuple(_compared(*pair, best, mode, level, floor, is_quick=is_quick) for pair in ranked)
    return Board(metric, mode, count, compared, level, floor)


def _compared(
    entry: Entry,
    rows: Rows,
    best: tuple[Entry, Rows],
    mode: str,
    level: float,
    floor: Floor | None,
    *,
    is_quick: bool,
) -> Entry:
    baseline, rows_of_baseline = best
    if entry is baseline:
        return dataclasses.replace(entry, is_baseline=True)
    first, second = (
        Sample(each.name, each.side.values, images.splits(each.side, known))
        for each, known in ((baseline, rows_of_baseline), (entry, rows))
    )
    # Images count where nothing else is known.
    is_needed = is_quick and floor is None and 1 in (len(first.values), len(second.values))
    by_image = images.difference(rows_of_baseline, rows, level).interval if is_needed else None
    interval, verdict = judge(first, second, mode=mode, level=level, floor=floor, images=by_image)
    apart = entry.mean - baseline.mean
    # The same values summed in another order are not 1e-16 apart.
    difference = 0.0 if math.isclose(entry.mean, baseline.mean, rel_tol=1e-12) else apart
    return dataclasses.replace(entry, verdict=verdict, interval=interval, difference=difference)


def _names(candidates: Sequence[Candidate]) -> dict[str, str]:
    """Id of its newest run -> what the page calls a config: its experiment, without the seeds that it ran as."""
    found, labels = {}, {}
    for each in candidates:
        experiments = {run.experiment for run in each.runs}
        stems = experiments if len(experiments) == 1 else {_SEED.sub("", name) for name in experiments}
        labels[each.runs[0].id] = each.runs[0].label
        found[each.runs[0].id] = stems.pop() if len(stems) == 1 else each.runs[0].label
    often = Counter(found.values())
    return {run: name if often[name] == 1 else labels[run] for run, name in found.items()}


def _by_data(project: Project, group: Sequence[tuple[Entry, Rows]]) -> list[list[tuple[Entry, Rows]]]:
    """Those that were measured on the same images together, as far as it is known; the most images first."""
    found: list[list[tuple[Entry, Rows]]] = []
    for pair in sorted(group, key=lambda pair: -(_count(pair[0].side) or 0)):
        alike = next((others for others in found if _is_same_data(project, others[0], pair)), None)
        if alike is None:
            found.append([pair])
        else:
            alike.append(pair)
    return found


def _is_same_data(project: Project, first: tuple[Entry, Rows], second: tuple[Entry, Rows]) -> bool:
    if attached(project, first[0].side.config) != attached(project, second[0].side.config):
        return False
    known = [next((rows.folds.keys() for rows in each.values()), None) for _, each in (first, second)]
    if known[0] is not None and known[1] is not None:
        return known[0] == known[1]
    counts = [_count(entry.side) for entry, _ in (first, second)]
    return counts[0] == counts[1] or None in counts


def _count(values: Side) -> int | None:
    return values.repeats[0].images


def _rows(values: Side, metric: str) -> Rows:
    """What is known of its out-of-fold rows; a file that cannot be read is for `coord compare` to complain about."""
    try:
        return images.rows(values, metric)
    except TargetError:
        return {}
