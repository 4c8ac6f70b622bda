"""The verdict on a difference, in words: better, within the noise, or not known.

One pair that is asked for has an interval of 95%. A table in which several configs are compared with one corrects for
that (Bonferroni), and says so: `table_level`.

The spread over seeds decides. All runs have the same out-of-fold rows, so their bootstrap shows how certain the
advantage of one run over another is on these rows, not whether the config would win again with another seed.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from statistics import fmean
from typing import Literal

from coordinator.comparison import intervals as statistics
from coordinator.comparison.images import Images
from coordinator.comparison.intervals import Interval, Spread
from coordinator.comparison.noise import Floor
from coordinator.comparison.seeds import OverSeeds, Sample, over_seeds
from coordinator.comparison.sides import Side

ALPHA = 0.05
_MOST_MORE = 20  # more seeds than this are not suggested
_MOST_DIGITS = 9  # before the point, and behind it

Kind = Literal["better", "likely", "noise", "unknown"]


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What is known about a difference.

    `better`: over seeds, for the config `winner`. `likely`: beyond the noise, but one side has a single run, or all of
    its runs had other folds than the other side's. `noise`: within the noise. `unknown`: the size of the noise is not
    known.
    """

    kind: Kind
    winner: str | None
    text: str


def table_level(comparisons: int) -> float:
    """The confidence of each interval of a table in which so many configs are compared with one.

    Bonferroni's correction: at most 5 of 100 such tables have a difference that does not exist.
    """
    return 1 - ALPHA / max(comparisons, 1)


def said_of_table(comparisons: int) -> str:
    """The rule that such a table follows, as a sentence for the reader; empty for a single pair."""
    if comparisons < 2:
        return ""
    level = percent(table_level(comparisons))
    return (
        f"{comparisons} comparisons with one config: each interval is of {level} (Bonferroni); "
        "a pair alone is judged at 95%: coord compare A B"
    )


@dataclasses.dataclass(frozen=True)
class Placed:
    """A line of such a table, the best mean first."""

    rank: int
    kind: Kind | None
    """None for the config that the others are compared with."""
    values: tuple[float, ...]


def why_out_of_order(rows: Sequence[Placed]) -> str:
    """Why a line is within the noise although one with a better mean is not, as a sentence; empty if none is."""
    beyond: Placed | None = None
    for row in rows:
        if row.kind in ("better", "likely"):
            beyond = row
        elif row.kind == "noise" and beyond is not None:
            counts = len(row.values), len(beyond.values)
            why = (
                f"it has {_count(counts[0], 'run')}, rank {beyond.rank} has {counts[1]}"
                if counts[0] < counts[1]
                else "its runs differ more from one another"
            )
            return (
                f"rank {row.rank} may be as good as the first although rank {beyond.rank}, with a better mean, is not: "
                f"its mean is less certain ({why})"
            )
    return ""


def judge(
    a: Sample,
    b: Sample,
    *,
    mode: str,
    level: float = 1 - ALPHA,
    floor: Floor | None = None,
    images: Images | None = None,
) -> tuple[Interval | None, Verdict]:
    """The interval of b - a, and the verdict.

    With repeats of both sides, a t interval over them. Else the noise floor of other configs is used in place of the
    unknown spread, and the verdict is at most `likely`. `images` is the difference on the out-of-fold rows.
    """
    if len(a.values) > 1 and len(b.values) > 1:
        return _by_repeats(a, b, mode, level)
    estimate = fmean(b.values) - fmean(a.values)
    best = _best(a.name, b.name, estimate, mode)
    if floor is None:
        return None, Verdict("unknown", None, _on_images(best, estimate, images, level))
    spread, counts = floor.spread, (len(a.values), len(b.values))
    interval = statistics.spread_interval(estimate, spread, *counts, level=level, method="t with the noise floor")
    if interval.excludes_zero:
        single = " and ".join(each.name for each in (a, b) if len(each.values) == 1)
        text = (
            f"{best} is ahead by {_interval(interval, level)}: more than the noise floor explains (sd "
            f"{figure(spread.sd)}); but {single} ran once: repeat that with other seeds before you believe it"
        )
        return interval, Verdict("likely", best, text)
    more = _more(OverSeeds(interval, spread, counts), level)
    return interval, Verdict("noise", None, f"within the noise floor (sd {figure(spread.sd)}): you can't tell; {more}")


def _by_repeats(a: Sample, b: Sample, mode: str, level: float) -> tuple[Interval | None, Verdict]:
    found = over_seeds(a, b, level=level)
    if found is None:
        estimate = fmean(b.values) - fmean(a.values)
        apart = _apart(_best(a.name, b.name, estimate, mode), estimate)
        text = f"{apart}; no seed changes anything, so how large the noise is can't be told"
        return None, Verdict("unknown", None, text)
    interval = found.interval
    best = _best(a.name, b.name, interval.estimate, mode)
    if not interval.excludes_zero:
        text = f"within the noise of one config: you can't tell; {_more(found, level)}"
        return interval, Verdict("noise", None, text)
    if found.are_folds_apart:
        text = (
            f"{best} is ahead by {_interval(interval, level)}: more than seeds explain; but no run of {a.name} had the "
            f"folds of a run of {b.name}, which may be the reason: run both with the same folds before you believe it"
        )
        return interval, Verdict("likely", best, text)
    same = " on the same folds" if found.is_within_folds else ""
    text = f"{best} is better by {_interval(interval, level)}, {_counted(*found.counts, found.of)}{same}"
    return interval, Verdict("better", best, text)


def luck(side: Side, floor: Floor | None) -> str:
    """How much two single runs of a config may differ by chance, by its own repeats or by the noise floor."""
    if len(side.values) > 1 and not statistics.is_rounding(sd := statistics.sd_of(side.values), side.values):
        spread, whose = Spread(sd, len(side.values) - 1), f"{len(side.values)} repeats of {side.name}"
    elif floor is not None:
        spread, whose = floor.spread, f"the repeats of {floor.of}"
    else:
        known = "has no repeats" if len(side.values) == 1 else "has the same value whatever the seed"
        return f"{side.name} {known}: how much is luck is not known; run it with other seeds"
    apart = statistics.spread_interval(0.0, spread, 1, 1, method="").high
    return (
        f"by {whose} (sd {figure(spread.sd)}), two single runs of one config lie up to {figure(apart)} apart by luck "
        "alone (95%): two experiments that ran once each and are closer than that can't be told apart"
    )


def figure(value: float) -> str:
    """A difference or a spread with two figures that count: 0.012, 0.00034, 1.2e+20."""
    return _fixed(value, _digits(value))


def percent(level: float) -> str:
    return f"{100 * level:.3g}%"


def _digits(value: float) -> int:
    """How many decimals show two figures that count, of a value that is finite."""
    return max(0, 1 - math.floor(math.log10(abs(value)))) if value else 0


def _fixed(value: float, digits: int) -> str:
    """With so many decimals; a value with more digits than one can read, by its power of ten."""
    is_short = digits <= _MOST_DIGITS and abs(value) < 10**_MOST_DIGITS
    return f"{value:.{digits}f}" if is_short or not value else f"{value:.3g}" if digits else f"{value:.2g}"


def _best(a: str, b: str, estimate: float, mode: str) -> str:
    return b if (estimate > 0) == (mode == "max") else a


def _apart(best: str, estimate: float) -> str:
    return "they have the same value" if estimate == 0 else f"{best} is ahead by {figure(abs(estimate))}"


def _on_images(best: str, estimate: float, images: Images | None, level: float) -> str:
    unknown = "without repeats you can't tell whether the config is better: run both with other seeds"
    if images is None or images.interval is None:
        return f"{_apart(best, estimate)}; {unknown}"
    differ = "differ" if images.interval.excludes_zero else "do not clearly differ"
    return f"these two runs {differ} on these {images.rows} (by {_interval(images.interval, level)}); {unknown}"


def _interval(found: Interval, level: float) -> str:
    """`0.0121, 95% interval 0.0041 to 0.0201`: the difference as an advantage, above 0."""
    found = found if found.estimate >= 0 else found.flipped
    half = (found.high - found.low) / 2
    digits = _digits(half if half > 1e-9 * abs(found.estimate) else found.estimate)
    estimate, low, high = (_fixed(value, digits) for value in (found.estimate, found.low, found.high))
    return f"{estimate}, {percent(level)} interval {low} to {high}"


def _counted(a: int, b: int, of: str) -> str:
    return f"{_count(a, of)} each" if a == b else f"{a} and {_count(b, of)}"


def _count(number: int, of: str) -> str:
    """`1 seed`, `3 sets of folds`."""
    return f"{number} {of if number == 1 else {'set of folds': 'sets of folds'}.get(of, f'{of}s')}"


def _more(seen: OverSeeds, level: float) -> str:
    """How many more seeds would detect the difference that was seen, or what difference many more would detect."""
    (a, b), sd, of, paired = seen.counts, seen.spread.sd, seen.of, seen.is_within_folds
    estimate, least = seen.interval.estimate, min(a, b)
    most = least + _MOST_MORE
    needed = statistics.repeats_needed(estimate, sd, level=level, most=most, paired=paired) if estimate else None
    # So many may be there already without having detected it: the power is not 100%.
    total = most if needed is None else max(needed, least + 1)
    shows = "would show no difference below" if needed is None else "would show a difference of"
    shown = figure(statistics.detectable(sd, total, level=level, paired=paired))
    if a == b:
        return f"{total - a} more {_count(total - a, of).partition(' ')[2]} of each {shows} {shown}"
    return f"{_count(total, of)} of each ({max(total - a, 0)} and {max(total - b, 0)} more) {shows} {shown}"
