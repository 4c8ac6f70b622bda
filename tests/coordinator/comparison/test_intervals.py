"""The statistics of a comparison: against tables, against scipy where it is installed, and against simulated truth."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from coordinator.comparison.intervals import (
    Interval,
    blocked_interval,
    detectable,
    paired_bootstrap,
    pooled,
    repeats_needed,
    student_interval,
    t_cdf,
    t_interval,
    t_quantile,
    unpaired_bootstrap,
    welch_interval,
)


@pytest.mark.parametrize(
    ("p", "df", "t"),
    [
        (0.975, 1, 12.7062047),
        (0.975, 3, 3.1824463),
        (0.95, 10, 1.8124611),
        (0.8, 8, 0.8888895),
        (0.9995, 5, 6.8688266),
        (0.975, 1e7, 1.9599642),
        (0.5, 4, 0.0),
        (0.025, 3, -3.1824463),
    ],
)
def test_quantiles_of_students_t_are_those_of_the_tables(p: float, df: float, t: float) -> None:
    """And the distribution function leads back."""
    assert t_quantile(p, df) == pytest.approx(t, abs=2e-7)
    assert t_cdf(t_quantile(p, df), df) == pytest.approx(p, abs=1e-8)


@pytest.mark.parametrize(("p", "df"), [(0.0, 3), (1.0, 3), (0.5, 0)])
def test_a_quantile_that_there_is_not(p: float, df: float) -> None:
    """An impossible probability or no degrees of freedom is an error, not an endless search."""
    with pytest.raises(ValueError, match="no quantile"):
        t_quantile(p, df)


def test_intervals_by_hand() -> None:
    """Student's with equal numbers, else the wider of it and Welch's: against figures worked out with the formulas."""
    equal = t_interval([1.0, 2.0, 3.0], [3.0, 5.0, 4.0])
    assert (equal.method, equal.estimate) == ("Student's t", 2.0)
    half = 2.7764451 * math.sqrt(2 / 3)  # t(.975, 4), pooled variance 1
    assert [equal.low, equal.high] == pytest.approx([2 - half, 2 + half], abs=1e-6)
    assert equal.excludes_zero is False
    assert equal.flipped == Interval(-2.0, -equal.high, -equal.low, "Student's t")
    # Variances 1 and 100, 3 and 2 values: 50.333 of variance, and nearly one degree of freedom.
    welch = t_interval([1.0, 2.0, 3.0], [90.0, 90.0 + math.sqrt(200)])
    df = (1 / 3 + 50) ** 2 / ((1 / 3) ** 2 / 2 + 50**2 / 1)
    assert welch.method == "Welch's t"
    assert welch.high - welch.estimate == pytest.approx(t_quantile(0.975, df) * math.sqrt(1 / 3 + 50), rel=1e-9)


def test_an_interval_is_of_the_level_that_was_asked_for() -> None:
    """Several comparisons are of a higher one: each interval is wider as the quantiles of its distribution are."""
    a, b, c = [1.0, 2.0, 3.0], [3.0, 5.0, 4.0], [3.0, 5.0]
    by_fold = [dict(enumerate([value, value + 1] for value in side)) for side in (a, b)]

    def width(found: Interval) -> float:
        return found.high - found.low

    for level in (0.5, 0.99):

        def wider(df: float, level: float = level) -> float:
            return t_quantile((1 + level) / 2, df) / t_quantile(0.975, df)

        assert width(t_interval(a, b, level=level)) == pytest.approx(width(t_interval(a, b)) * wider(4))
        df = (1 / 3 + 1) ** 2 / ((1 / 3) ** 2 / 2 + 1)
        assert width(welch_interval(a, c, level=level)) == pytest.approx(width(welch_interval(a, c)) * wider(df))
        one, two = ({str(block): values for block, values in side.items()} for side in by_fold)
        blocks, spread = blocked_interval(one, two, level=level)
        assert width(blocks) == pytest.approx(width(blocked_interval(one, two)[0]) * wider(spread.df))
    values = list(np.random.default_rng(5).normal(size=200))
    normal = t_quantile(0.75, 1e7) / t_quantile(0.975, 1e7)
    for paired in (True, False):
        half, usual = (
            paired_bootstrap(values, level=level) if paired else unpaired_bootstrap(values, values, level=level)
            for level in (0.5, 0.95)
        )
        assert width(half) / width(usual) == pytest.approx(normal, rel=0.1)


def test_blocks() -> None:
    """One block is Student's, a value of each in every block the paired t; and an uneven case by least squares."""
    a, b = [1.0, 2.0, 4.0], [3.0, 5.0]
    one, spread = blocked_interval({"x": a}, {"x": b, "left out": [99.0]})
    student = student_interval(a, b)
    assert [one.estimate, one.low, one.high] == pytest.approx([student.estimate, student.low, student.high])
    assert spread.df == 3
    pairs, spread = blocked_interval(
        {str(at): [value] for at, value in enumerate(a)}, {"0": [2.0], "1": [5.0], "2": [6.0]}
    )
    half = t_quantile(0.975, 2) * 1.0 / math.sqrt(3)  # differences 1, 3 and 2
    assert [pairs.low, pairs.high, spread.df] == pytest.approx([2 - half, 2 + half, 2])
    first, second = {"x": [1.0, 2.0, 4.0], "y": [7.0]}, {"x": [3.0], "y": [8.0, 9.5]}
    design = np.array([(1, 0, 0)] * 3 + [(0, 1, 0), (1, 0, 1)] + [(0, 1, 1)] * 2, dtype=float)
    values = np.array([1.0, 2, 4, 7, 3, 8, 9.5])
    found, residual, *_ = np.linalg.lstsq(design, values, rcond=None)
    uneven, spread = blocked_interval(first, second)
    assert spread.df == 4
    assert uneven.estimate == pytest.approx(found[2])
    assert spread.sd == pytest.approx(math.sqrt(residual[0] / 4))
    error = spread.sd * math.sqrt(np.linalg.inv(design.T @ design)[2, 2])
    assert uneven.high - uneven.estimate == pytest.approx(t_quantile(0.975, 4) * error)


def test_uneven_numbers_are_no_excuse_to_find_something() -> None:
    """With 2 and 8 repeats Welch's interval alone misses the truth too often; the one that is used does not."""
    draws = [(list(each[:2]), list(each[2:])) for each in np.random.default_rng(6).normal(size=(400, 10))]
    assert sum(welch_interval(a, b).excludes_zero for a, b in draws) > 0.065 * 400
    assert sum(t_interval(a, b).excludes_zero for a, b in draws) < 0.065 * 400


def test_the_pooled_spread_is_within_groups() -> None:
    """Groups far apart have the spread that is inside of them; those of one value say nothing."""
    found = pooled([[1.0, 3.0], [101.0, 103.0], [7.0]])
    assert found is not None
    assert found.sd == pytest.approx(math.sqrt(2))
    assert found.df == 2
    assert pooled([[1.0], []]) is None


def test_how_many_repeats_a_difference_needs() -> None:
    """The textbook's 17 for one standard deviation and 64 for a half; more than `most` is None."""
    assert repeats_needed(1.0, 1.0) == 17
    assert repeats_needed(-0.5, 1.0) == 64
    assert repeats_needed(0.001, 1.0, most=50) is None
    assert detectable(1.0, 17) <= 1.0 < detectable(1.0, 16)
    two, four = (t_quantile(0.975, df) + t_quantile(0.8, df) for df in (2, 4))  # of three pairs, or of three each
    assert detectable(1.0, 3, paired=True) == pytest.approx(two * math.sqrt(2 / 3))
    assert detectable(1.0, 3) == pytest.approx(four * math.sqrt(2 / 3))
    assert detectable(2.0, 17) == pytest.approx(2 * detectable(1.0, 17))


def test_the_power_is_what_it_says() -> None:
    """Of 400 simulated comparisons with a detectable difference, the t interval finds 80%, give or take three sd."""
    rng = np.random.default_rng(0)
    shift = detectable(1.0, 6)
    draws = rng.normal(size=(400, 2, 6))
    found = sum(t_interval(list(a), list(b + shift)).excludes_zero for a, b in draws)
    assert 0.8 * 400 - 3 * 8 <= found <= 0.8 * 400 + 3 * 8


def test_the_bootstrap_covers_the_truth_and_is_repeatable() -> None:
    """Of 200 simulated samples, the 95% interval misses the true mean about 10 times; one seed gives one answer."""
    rng = np.random.default_rng(1)
    missed = 0
    for _ in range(200):
        found = paired_bootstrap(list(rng.normal(0.3, 1.0, size=80)), resamples=400)
        missed += not found.low <= 0.3 <= found.high
    assert 3 <= missed <= 22
    sample = list(rng.uniform(size=50))
    assert paired_bootstrap(sample) == paired_bootstrap(sample)
    assert paired_bootstrap(sample, seed=1) != paired_bootstrap(sample, seed=2)


def test_pairs_are_worth_more_than_two_samples() -> None:
    """The same values, each 0.01 better: certain in pairs, lost in the spread of the images without."""
    values = list(np.random.default_rng(3).uniform(size=100))
    better = [value + 0.01 for value in values]
    pairs = paired_bootstrap([b - a for a, b in zip(values, better, strict=True)])
    apart = unpaired_bootstrap(values, better)
    assert pairs.low == pytest.approx(0.01) == pairs.high
    assert apart.estimate == pytest.approx(0.01)
    assert apart.excludes_zero is False
    # Each of the two samples has the spread of one.
    one = paired_bootstrap(values)
    assert (apart.high - apart.low) / (one.high - one.low) == pytest.approx(math.sqrt(2), rel=0.1)


def test_a_large_sample_is_drawn_in_parts() -> None:
    """More images than fit a part at once: the interval is the normal one, of 2 x 1.96 standard errors."""
    values = list(np.random.default_rng(4).normal(size=30_000))
    found = paired_bootstrap(values, resamples=1_000)
    error = float(np.std(values)) / math.sqrt(len(values))
    assert (found.high - found.low) / error == pytest.approx(2 * 1.96, rel=0.1)


def test_scipy_agrees() -> None:
    """The quantiles of t, and Welch's interval, are those of scipy."""
    stats: Any = pytest.importorskip("scipy.stats", reason="pip install 'coord[dev]'")
    for df in (1, 2.5, 7, 40, 900.5):
        for p in (0.6, 0.9, 0.975, 0.999):
            assert t_quantile(p, df) == pytest.approx(float(stats.t.ppf(p, df)), rel=1e-9)
    a, b = [1.0, 2.0, 4.0], [2.0, 2.5, 7.0, 3.0]
    low, high = stats.ttest_ind(b, a, equal_var=False).confidence_interval()
    ours = welch_interval(a, b)
    assert [ours.low, ours.high] == pytest.approx([low, high])
