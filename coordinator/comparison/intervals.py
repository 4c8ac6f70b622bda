"""The statistics of a comparison, as pure functions: Student's t, Welch's interval, power, and the bootstrap.

Student's t is implemented here because scipy takes seconds to import. numpy is needed by the bootstrap only, and is
imported there.
"""

from __future__ import annotations

import bisect
import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RESAMPLES = 10_000
LEAST = 200
"""Resamples, however many rows there are."""
_DRAWS = 100_000_000
"""Rows drawn in all: 10 000 resamples of up to 10 000 rows, 1000 of 100 000; so a bootstrap takes seconds."""
POWER = 0.8
_PRECISION = 1e-14
_ROUNDING = 1e-12  # relative to the largest value
_CHUNK = 4_000_000  # random numbers at a time: 32 MB


@dataclass(frozen=True)
class Interval:
    """A difference with its confidence interval, in the unit of the metric."""

    estimate: float
    low: float
    high: float
    method: str

    @property
    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0

    @property
    def flipped(self) -> Interval:
        """The difference the other way round."""
        return Interval(-self.estimate, -self.high, -self.low, self.method)


@dataclass(frozen=True)
class Spread:
    """A standard deviation and the degrees of freedom that it was estimated with."""

    sd: float
    df: float


def sd_of(values: Sequence[float]) -> float:
    """The standard deviation of at least two values, whatever their size: the square of 1e-200 is 0 for a float."""
    return _sd_of(tuple(values))


@functools.lru_cache(maxsize=1024)  # the same values are judged several times, and `stdev` is exact and slow
def _sd_of(values: tuple[float, ...]) -> float:
    scale = max(map(abs, values)) or 1.0
    return stdev([value / scale for value in values]) * scale


def pooled(groups: Iterable[Sequence[float]]) -> Spread | None:
    """The standard deviation within groups that share one, from all that have at least two values.

    s^2 = sum of (n_i - 1) s_i^2 over sum of (n_i - 1): Snedecor & Cochran, Statistical Methods, 8th ed. (1989), 6.10.
    None if no group has two values.
    """
    repeated = [group for group in groups if len(group) > 1]
    df = sum(len(group) - 1 for group in repeated)
    if not df:
        return None
    return Spread(math.hypot(*(math.sqrt((len(group) - 1) / df) * sd_of(group) for group in repeated)), df)


def is_rounding(sd: float, values: Iterable[float]) -> bool:
    """Whether a standard deviation is so small that rounding explains it: the values are equal."""
    return sd <= _ROUNDING * max(map(abs, values))


def t_cdf(t: float, df: float) -> float:
    """P(T <= t) of Student's t with `df` degrees of freedom (any number > 0).

    Through the regularized incomplete beta function: Abramowitz & Stegun (1964), 26.7.1.
    """
    tail = 0.5 * _incomplete_beta(df / 2, 0.5, df / (df + t * t))
    return 1 - tail if t > 0 else tail


@functools.lru_cache(maxsize=1024)
def t_quantile(p: float, df: float) -> float:
    """The t with P(T <= t) = `p`, 0 < p < 1, by bisection of `t_cdf`."""
    if not 0 < p < 1 or not df > 0:
        raise ValueError(f"there is no quantile {p} with {df} degrees of freedom")
    if p < 0.5:
        return -t_quantile(1 - p, df)
    low, high = 0.0, 1.0
    while t_cdf(high, df) < p:
        high *= 2
    while high - low > 1e-12 * max(high, 1.0):
        middle = (low + high) / 2
        low, high = (middle, high) if t_cdf(middle, df) < p else (low, middle)
    return (low + high) / 2


def t_interval(a: Sequence[float], b: Sequence[float], *, level: float = 0.95) -> Interval:
    """The interval of mean(b) - mean(a) over independent repeats, at least two of each.

    With equal numbers: Student's with the pooled variance, which is then robust against unequal variances. Else the
    wider one of Welch's and Student's: Welch's alone finds a difference that does not exist in 9 of 100 cases with 2
    and 8 repeats, because it estimates one variance from two values.
    """
    student = student_interval(a, b, level=level)
    if len(a) == len(b):
        return student
    return max(welch_interval(a, b, level=level), student, key=lambda each: each.high - each.low)


def student_interval(a: Sequence[float], b: Sequence[float], *, level: float = 0.95) -> Interval:
    """With the pooled variance of both: Snedecor & Cochran (1989), 6.7 to 6.9."""
    spread = pooled([a, b])
    assert spread is not None, "a t interval needs repeats"
    return spread_interval(fmean(b) - fmean(a), spread, len(a), len(b), level=level, method="Student's t")


def welch_interval(a: Sequence[float], b: Sequence[float], *, level: float = 0.95) -> Interval:
    """With a variance each, and the degrees of freedom of Welch (1947), Biometrika 34, and Satterthwaite (1946)."""
    errors = (sd_of(a) / math.sqrt(len(a)), sd_of(b) / math.sqrt(len(b)))
    both = math.hypot(*errors)
    # Of 1, so that no power is too small for a float.
    parts = [(error / both) ** 2 if both else 0.0 for error in errors]
    below = sum(part**2 / (len(group) - 1) for part, group in zip(parts, (a, b), strict=True))
    df = 1 / below if below else float(min(len(a), len(b)) - 1)
    half = t_quantile((1 + level) / 2, df) * both
    estimate = fmean(b) - fmean(a)
    return Interval(estimate, estimate - half, estimate + half, "Welch's t")


def blocked_interval(
    a: Mapping[str, Sequence[float]], b: Mapping[str, Sequence[float]], *, level: float = 0.95
) -> tuple[Interval, Spread]:
    """The interval of b - a within blocks (here: within the same folds), and the spread of single values in them.

    `a` and `b` are values by block; only blocks that both have count. Least squares with an effect of each block, N - J
    - 1 degrees of freedom from N values in J blocks, at least one: Snedecor & Cochran (1989), 14.2 and 20.1. With one
    block it is Student's interval, with one value of each in every block the paired one.
    """
    common = [block for block in a if block in b]
    weights = [len(a[block]) * len(b[block]) / (len(a[block]) + len(b[block])) for block in common]
    apart = [fmean(b[block]) - fmean(a[block]) for block in common]
    estimate = sum(weight * each for weight, each in zip(weights, apart, strict=True)) / sum(weights)
    within = [value - fmean(side[block]) for side in (a, b) for block in common for value in side[block]]
    between = [math.sqrt(weight) * (each - estimate) for weight, each in zip(weights, apart, strict=True)]
    df = sum(len(side[block]) for side in (a, b) for block in common) - len(common) - 1
    spread = Spread(math.hypot(*within, *between) / math.sqrt(df), df)
    half = t_quantile((1 + level) / 2, df) * spread.sd / math.sqrt(sum(weights))
    return Interval(estimate, estimate - half, estimate + half, "t within the same folds"), spread


def spread_interval(
    estimate: float, spread: Spread, n_a: int, n_b: int, *, level: float = 0.95, method: str
) -> Interval:
    """The interval of a difference of two means of `n_a` and `n_b` values, with a spread that was estimated before."""
    half = t_quantile((1 + level) / 2, spread.df) * spread.sd * math.sqrt(1 / n_a + 1 / n_b)
    return Interval(estimate, estimate - half, estimate + half, method)


def detectable(sd: float, n: int, *, level: float = 0.95, power: float = POWER, paired: bool = False) -> float:
    """The difference that `n` >= 2 repeats of each of two configs detect with that power.

    (t(1 - alpha/2) + t(power)) sd sqrt(2/n) with 2n - 2 degrees of freedom, or n - 1 in pairs, which stands for the
    noncentral t: the power is 77% with two repeats, 79% with three, and 80% from five on: Snedecor & Cochran (1989),
    6.14.
    """
    df = n - 1 if paired else 2 * n - 2
    return (t_quantile((1 + level) / 2, df) + t_quantile(power, df)) * sd * math.sqrt(2 / n)


def repeats_needed(
    difference: float,
    sd: float,
    *,
    level: float = 0.95,
    power: float = POWER,
    paired: bool = False,
    most: int = 1000,
) -> int | None:
    """How many repeats of each of two configs detect that difference with that power; None if more than `most`."""
    enough = bisect.bisect_left(
        range(2, most + 1),
        True,
        key=lambda n: detectable(sd, n, level=level, power=power, paired=paired) <= abs(difference),
    )
    return 2 + enough if enough < most - 1 else None


def paired_bootstrap(
    differences: Sequence[float],
    *,
    level: float = 0.95,
    resamples: int | None = None,
    seed: int = 0,
    of: str = "rows",
) -> Interval:
    """The percentile interval of the mean of `differences`, shape (rows,): one paired difference a row.

    Rows (`of` has what they are) are drawn with replacement, by default as often as `resamples_of` says: Efron &
    Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
    """
    import numpy as np

    values = np.asarray(differences, dtype=np.float64)
    means = _resampled_means(values, resamples or resamples_of(len(values)), np.random.default_rng(seed))
    return percentiles(float(values.mean()), means, level, f"paired percentile bootstrap over {of}")


def unpaired_bootstrap(
    a: Sequence[float], b: Sequence[float], *, level: float = 0.95, seed: int = 0, of: str = "rows"
) -> Interval:
    """The percentile interval of mean(b) - mean(a), each drawn with replacement apart: (rows,) and (rows,)."""
    import numpy as np

    rng = np.random.default_rng(seed)
    first, second = (np.asarray(values, dtype=np.float64) for values in (a, b))
    resamples = resamples_of(max(len(a), len(b)))
    means = _resampled_means(second, resamples, rng) - _resampled_means(first, resamples, rng)
    return percentiles(float(second.mean() - first.mean()), means, level, f"unpaired percentile bootstrap over {of}")


def resamples_of(rows: int, *, most: int = RESAMPLES, draws: int = _DRAWS) -> int:
    """How many resamples are drawn of so many rows: `most` of a small table, fewer of a large one."""
    return max(LEAST, min(most, draws // max(rows, 1)))


def _resampled_means(values: NDArray[np.float64], resamples: int, rng: np.random.Generator) -> NDArray[np.float64]:
    import numpy as np

    rows = max(1, _CHUNK // len(values))
    found = []
    for start in range(0, resamples, rows):
        drawn = rng.integers(len(values), size=(min(rows, resamples - start), len(values)), dtype=np.int32)
        found.append(values[drawn].mean(axis=1))
    return np.concatenate(found)


def percentiles(estimate: float, means: NDArray[np.float64], level: float, method: str) -> Interval:
    """The percentile interval of values from resamples."""
    import numpy as np

    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(estimate, float(low), float(high), method)


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """I_x(a, b), regularized, by its continued fraction: Press et al., Numerical Recipes, 3rd ed. (2007), 6.4."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):  # the fraction converges fast on the other side only
        return 1 - _incomplete_beta(b, a, 1 - x)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    return front * _fraction(a, b, x) / a


def _fraction(a: float, b: float, x: float) -> float:
    """The continued fraction by Lentz's method, where 1e-300 stands for a zero that would be divided by."""

    def not_zero(value: float) -> float:
        return value if abs(value) > 1e-300 else 1e-300

    c, d = 1.0, 1 / not_zero(1 - (a + b) * x / (a + 1))
    result = d
    for m in range(1, 10_000):
        for step in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d, c = 1 / not_zero(1 + step * d), not_zero(1 + step / c)
            result *= c * d
        if abs(c * d - 1) < _PRECISION:
            return result
    raise ArithmeticError(f"the incomplete beta function does not converge at {a}, {b}, {x}")
