"""The verdict on two samples of values: planted effects are found, and luck is not called an effect."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from coordinator.comparison.intervals import Spread
from coordinator.comparison.noise import Floor
from coordinator.comparison.seeds import Sample
from coordinator.comparison.verdict import judge


def _sample(name: str, values: Sequence[float], splits: Sequence[str] | None = None) -> Sample:
    return Sample(name, tuple(values), None if splits is None else tuple(splits))


def test_luck_is_not_called_an_effect() -> None:
    """Of 200 simulated pairs of equal configs with 5 seeds each, about 5% get a verdict (within three sd)."""
    rng = np.random.default_rng(11)
    kinds = [
        judge(_sample("a", a), _sample("b", b), mode="max")[1].kind for a, b in rng.normal(0.8, 0.003, size=(200, 2, 5))
    ]
    assert set(kinds) == {"better", "noise"}
    assert 1 <= kinds.count("better") <= 19
    # Uneven numbers, 3 and 6 seeds.
    apart = rng.normal(0.8, 0.003, size=(200, 9))
    kinds = [judge(_sample("a", each[:3]), _sample("b", each[3:]), mode="min")[1].kind for each in apart]
    assert 1 <= kinds.count("better") <= 19


@pytest.mark.parametrize(
    ("a", "b", "kind"),
    [
        ("01234", "01234", "better"),  # the seed makes the folds: pairs
        ("01234", "56789", "better"),  # other seeds, so other folds
        ("00011", "22333", "better"),  # repeats within runs of a few seeds: each set of folds is one value
        ("000", "012", "better"),
        ("00000", "11111", "likely"),  # config and folds can't be told apart
    ],
)
def test_the_luck_of_folds_is_not_called_an_effect(a: str, b: str, kind: str) -> None:
    """Of 200 simulated pairs of equal configs, about 5% get a verdict, however their runs share folds; or never one."""
    rng = np.random.default_rng(13)
    found = []
    for _ in range(200):
        folds = dict(zip("0123456789", rng.normal(0.8, 0.003, size=10), strict=True))
        one, other = ([folds[fold] + rng.normal(0, 0.003) for fold in of] for of in (a, b))
        found.append(judge(_sample("a", one, a), _sample("b", other, b), mode="max")[1].kind)
    assert set(found) == {kind, "noise"}
    assert kind == "likely" or 1 <= found.count("better") <= 19


def test_runs_are_compared_within_the_same_folds() -> None:
    """Folds change more than the config does: pairs by fold find the effect; a run without a partner is left out."""
    luck = (0.80, 0.75, 0.82, 0.78)
    one = _sample("a", [*luck, 0.5], "01234")
    other = _sample("b", [value + 0.01 + off for value, off in zip(luck, (0.001, -0.001, 0, 0), strict=True)], "0123")
    interval, found = judge(one, other, mode="max")
    assert interval is not None
    assert interval.estimate == pytest.approx(0.01)
    half = 3.1824463 * np.std([0.001, -0.001, 0, 0], ddof=1) / 2  # t(.975, 3) standard errors of 4 pairs
    assert interval.high - 0.01 == pytest.approx(half)
    assert found.text == "b is better by 0.0100, 95% interval 0.0087 to 0.0113, 4 seeds each on the same folds"


def test_other_folds_on_each_side_are_said() -> None:
    """A difference that may come from the folds is no better config, whatever the seeds show."""
    found = judge(_sample("a", (0.50, 0.51, 0.505), "000"), _sample("b", (0.40, 0.41, 0.405), "111"), mode="min")[1]
    assert (found.kind, found.winner) == ("likely", "b")
    assert "no run of a had the folds of a run of b, which may be the reason" in found.text
    few = judge(_sample("a", (0.50, 0.51, 0.505, 0.51), "0011"), _sample("b", (0.50, 0.51, 0.50), "223"), mode="max")[1]
    assert (few.kind, "more sets of folds of each would show" in few.text) == ("noise", True)


def test_one_run_each_never_makes_a_better_config() -> None:
    """However large the difference: "unknown" without repeats, "likely" at most with those of other configs."""
    rng = np.random.default_rng(12)
    floor = Floor(Spread(0.003, 4), ("other",))
    likely = 0
    for a, b in rng.normal(0.8, 0.003, size=(200, 2, 1)):
        assert judge(_sample("a", a), _sample("b", b), mode="max")[1].kind == "unknown"
        kind = judge(_sample("a", a), _sample("b", b), mode="max", floor=floor)[1].kind
        assert kind in {"noise", "likely"}
        likely += kind == "likely"
    assert likely <= 19


def test_too_few_seeds_say_how_many_more() -> None:
    """A difference of two standard deviations with two seeds each: 6 are needed, so 4 more; uneven ones are counted."""
    text = judge(_sample("a", [0.800, 0.802]), _sample("b", [0.8026, 0.8046]), mode="max")[1].text
    assert text == (
        "within the noise of one config: you can't tell; 4 more seeds of each would show a difference of 0.0025"
    )
    text = judge(_sample("a", [0.800, 0.802]), _sample("b", [0.8016, 0.8036, 0.8026]), mode="max")[1].text
    assert "10 seeds of each (8 and 7 more) would show" in text  # 1.4 standard deviations
    text = judge(_sample("a", [0.800, 0.802]), _sample("b", [0.8001, 0.8021]), mode="max")[1].text
    assert "20 more seeds of each would show no difference below 0.0" in text


def test_a_lower_metric_can_be_better() -> None:
    """The direction decides, not the sign; the advantage is shown above 0."""
    values = _sample("a", [0.50, 0.51, 0.505]), _sample("b", [0.40, 0.41, 0.405])
    interval, least = judge(*values, mode="min")
    assert interval is not None
    assert interval.estimate < 0
    assert (least.kind, least.winner) == ("better", "b")
    assert least.text.startswith("b is better by 0.100, 95% interval 0.089 to 0.111")
    assert judge(*values, mode="max")[1].winner == "a"
