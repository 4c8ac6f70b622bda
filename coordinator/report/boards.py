"""The leaderboards: a row for each config with the mean over its seeds, and the verdict on its difference.

The verdicts are those of `coord compare`, from the same repeats and with the same noise floor.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import re
from collections import Counter
from collections.abc import Collection, Sequence
from statistics import fmean

from coordinator.comparison import (
    Candidate,
    Floor,
    Interval,
    Measured,
    Placed,
    Side,
    Verdict,
    attached,
    images,
    judge,
    noise_floor,
    said_of_table,
    sd_of,
    side_of,
    table_level,
    why_out_of_order,
)
from coordinator.errors import TargetError
from coordinator.ledger import Run
from coordinator.progress import Count
from coordinator.project import Project
from coordinator.results import OutOfFold

_SEED = re.compile(r"-s\d+(?=(-f\d+)?$)")  # as a sweep names its experiments; a fold comes last
_WORDS = {"noise": "within the noise", "unknown": "not known"}
_BEST, _NEWEST = 30, 10  # lines of a leaderboard: so many of its best configs, and of its newest
_BOOTSTRAPS = 8  # at most so many configs are compared row by row: each takes a moment
_KEPT = 40  # of more configs, or of one with more runs, the rows' values are not kept: they would fill the memory


@dataclasses.dataclass(frozen=True)
class Entry:
    """One config."""

    name: str
    runs: tuple[Run, ...]
    """Newest first; repeats of one another."""
    measured: Measured
    """Its values of the board's metric, with the out-of-fold rows that can be read."""
    is_baseline: bool = False
    verdict: Verdict | None = None
    """Against the board's baseline."""
    interval: Interval | None = None
    """This config minus the baseline."""
    difference: float | None = None

    @property
    def side(self) -> Side:
        return self.measured.side

    @property
    def mean(self) -> float:
        return fmean(self.side.values)

    @property
    def sd(self) -> float | None:
        return sd_of(self.side.values) if len(self.side.values) > 1 else None

    @property
    def seconds(self) -> float | None:
        """The mean duration of one run."""
        known = []
        for run in self.runs:
            known.append(run.reported.seconds)
            run.reported.forget()
        return fmean(took) if (took := [each for each in known if each is not None]) else None

    @property
    def words(self) -> str:
        """The verdict in a few words."""
        if self.verdict is None:
            return ""
        if self.verdict.winner is None:
            return _WORDS[self.verdict.kind]
        way = "better" if self.verdict.winner == self.name else "worse"
        return way if self.verdict.kind == "better" else f"likely {way}"


@dataclasses.dataclass(frozen=True)
class Board:
    """Configs with the same metric that were measured on the same data; the best first."""

    metric: str
    mode: str
    images: int | None
    entries: tuple[Entry, ...]
    """All of them; `lines` are those that a page shows."""
    level: float
    """The confidence of each interval: 95%, or more if there are several (Bonferroni)."""
    floor: Floor | None

    @property
    def direction(self) -> str:
        return {"max": "higher is better", "min": "lower is better"}.get(self.mode, "direction not known")

    @property
    def rules(self) -> tuple[str, ...]:
        """Sentences about what its verdicts mean."""
        placed = [
            Placed(rank, entry.verdict.kind if entry.verdict else None, entry.side.values)
            for rank, entry in enumerate(self.entries, start=1)
        ]
        # With another baseline than the best, the order of the means says nothing about the differences.
        is_first = self.entries[0].is_baseline
        said = (said_of_table(len(self.entries) - 1), why_out_of_order(placed) if is_first else "")
        return tuple(filter(None, said))

    @functools.cached_property
    def lines(self) -> tuple[tuple[int, Entry], ...]:
        """(rank, config) in order of rank: the best ones, the newest ones, and the baseline."""
        ranked = list(enumerate(self.entries, start=1))
        if len(ranked) <= _BEST + _NEWEST:
            return tuple(ranked)
        newest = sorted(ranked[_BEST:], key=lambda each: each[1].runs[0].created_at, reverse=True)[:_NEWEST]
        shown = {*range(1, _BEST + 1), *(rank for rank, _ in newest)}
        return tuple((rank, each) for rank, each in ranked if rank in shown or each.is_baseline)

    @property
    def others(self) -> tuple[tuple[int, Entry], ...]:
        """Those without a line, as `lines`."""
        shown = {rank for rank, _ in self.lines}
        return tuple((rank, each) for rank, each in enumerate(self.entries, start=1) if rank not in shown)

    @property
    def baseline(self) -> Entry | None:
        return next((entry for entry in self.entries if entry.is_baseline), None)


@dataclasses.dataclass(frozen=True)
class BaselineChoice:
    """The config that the others are compared with: the one of that name, or else one that has any of these runs."""

    name: str | None = None
    runs: Collection[str] = ()
    """Ids."""

    def among(self, entries: Sequence[Entry]) -> Entry:
        """That config's entry, or the first entry if there is none of it."""
        named = [entry for entry in entries if entry.name == self.name]
        named += [entry for entry in entries if any(run.id in self.runs for run in entry.runs)]
        return [*named, *entries][0]


BEST = BaselineChoice()
"""Names no config: the others are compared with the best."""


def boards(
    project: Project,
    found: Sequence[Candidate],
    everything: Sequence[Candidate],
    *,
    hidden: Collection[str] = (),
    baseline: BaselineChoice = BEST,
    count: Count,
) -> list[Board]:
    """The leaderboards of these configs, one for each primary metric and set of images.

    `everything` has the configs from which the noise floor is estimated. A config whose runs are all in `hidden` (ids)
    is left out: they are parts of other runs. Each is compared with the `baseline`, or with the best if its board has
    no such. `count` counts them twice: when they are read, and when they are compared.
    """
    candidates = [each for each in found if any(run.id not in hidden for run in each.runs)]
    names = _names(candidates)
    grouped: dict[tuple[str, str], list[Entry]] = {}
    assignments: dict[tuple[str, bool], OutOfFold] = {}
    count.expect(2 * len(candidates))
    for each in count.each(candidates):
        mode = each.mode_of(each.primary) if each.primary is not None else None
        if each.primary is not None and mode is not None:
            values = side_of(project, each, each.primary)
            # Overrides are shown in the table of settings.
            notes = tuple(note for note in values.notes if " with --set " not in note)
            values = dataclasses.replace(values, name=names[each.runs[0].id], notes=notes)
            measured = _measured(project, values, each.primary)
            if len(candidates) > _KEPT or len(values.repeats) > _KEPT:
                measured = _slim(measured, assignments)
            entry = Entry(values.name, each.runs, measured)
            grouped.setdefault((each.primary, mode), []).append(entry)
    found_boards = []
    for metric_and_mode, group in grouped.items():
        for alike in _by_data(project, group):
            found_boards.append(_board(project, metric_and_mode, alike, everything, baseline))
            count.advance(len(alike))
    return found_boards


def _board(
    project: Project,
    metric_and_mode: tuple[str, str],
    group: Sequence[Entry],
    everything: Sequence[Candidate],
    baseline: BaselineChoice,
) -> Board:
    metric, mode = metric_and_mode
    sign = 1 if mode == "min" else -1
    # Rounded: the same values summed in another order are a tie. Of equal ones, the one with more repeats leads.
    ranked = sorted(group, key=lambda entry: (sign * float(f"{entry.mean:.12g}"), -len(entry.side.values)))
    level = table_level(len(ranked) - 1)
    count = _count(ranked[0].side)
    board = Board(metric, mode, count, tuple(ranked), level, None)
    if mode not in ("max", "min"):
        return board
    board = dataclasses.replace(board, floor=noise_floor(project, everything, metric, [each.side for each in ranked]))
    compared_with = baseline.among(ranked)
    return dataclasses.replace(board, entries=tuple(_compared(entry, compared_with, board) for entry in ranked))


def _compared(entry: Entry, baseline: Entry, board: Board) -> Entry:
    """The entry with its difference from the baseline, judged by the board's noise floor."""
    if entry is baseline:
        return dataclasses.replace(entry, is_baseline=True)
    first, second, level, floor = baseline.measured.sample, entry.measured.sample, board.level, board.floor
    # Rows count only if nothing else is known: that takes a bootstrap.
    is_needed = len(board.entries) <= _BOOTSTRAPS and floor is None and 1 in (len(first.values), len(second.values))
    by_image = images.difference(baseline.measured, entry.measured, level) if is_needed else None
    interval, verdict = judge(first, second, mode=board.mode, level=level, floor=floor, images=by_image)
    apart = entry.mean - baseline.mean
    # The same values summed in another order are not 1e-16 apart.
    difference = 0.0 if math.isclose(entry.mean, baseline.mean, rel_tol=1e-12) else apart
    return dataclasses.replace(entry, verdict=verdict, interval=interval, difference=difference)


def _names(candidates: Sequence[Candidate]) -> dict[str, str]:
    """Id of a config's newest run -> its name on the page: the experiment, without the seeds in its name."""
    found, labels = {}, {}
    for each in candidates:
        experiments = {run.experiment for run in each.runs}
        stems = experiments if len(experiments) == 1 else {_SEED.sub("", name) for name in experiments}
        labels[each.runs[0].id] = each.runs[0].label
        found[each.runs[0].id] = stems.pop() if len(stems) == 1 else each.runs[0].label
    often = Counter(found.values())
    return {run: name if often[name] == 1 else labels[run] for run, name in found.items()}


def _by_data(project: Project, group: Sequence[Entry]) -> list[list[Entry]]:
    """The entries in groups that were measured on the same images, as far as that is known; the most images first."""
    found: list[list[Entry]] = []
    for entry in sorted(group, key=lambda entry: -(_count(entry.side) or 0)):
        alike = next((others for others in found if _is_same_data(project, others[0], entry)), None)
        if alike is None:
            found.append([entry])
        else:
            alike.append(entry)
    return found


def _is_same_data(project: Project, first: Entry, second: Entry) -> bool:
    if attached(project, first.side.config) != attached(project, second.side.config):
        return False
    known = [next((rows.folds.keys() for rows in each.measured.rows.values()), None) for each in (first, second)]
    if known[0] is not None and known[1] is not None:
        return known[0] == known[1]
    counts = [_count(entry.side) for entry in (first, second)]
    return counts[0] == counts[1] or None in counts


def _count(values: Side) -> int | None:
    return values.repeats[0].images


def _measured(project: Project, values: Side, metric: str) -> Measured:
    """With its out-of-fold rows; without them if a file cannot be read, about which `coord compare` complains."""
    try:
        return images.with_rows(project, values, metric)
    except TargetError:
        return Measured(values, {})


def _slim(measured: Measured, known: dict[tuple[str, bool], OutOfFold]) -> Measured:
    """Of its rows only the folds that they are in; `known` has the different assignments so far, which are shared."""
    rows = {
        repeat: known.setdefault(
            (each.assignment, each.are_folds_known), dataclasses.replace(each, values={}, table=None)
        )
        for repeat, each in measured.rows.items()
    }
    return dataclasses.replace(measured, rows=rows)
