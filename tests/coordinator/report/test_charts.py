"""Charts: whole numbers on the epoch axis, any values, and long curves that stay small."""

from __future__ import annotations

import re

import pytest

from coordinator.report import charts


def test_epochs_have_whole_ticks() -> None:
    """Also with a single epoch: there is no epoch 1.95."""
    for epochs in ([2], [2, 3], [1, 40]):
        drawn = charts.lines("t", {"a": [(epoch, 0.5) for epoch in epochs]}, x_label="epoch")
        below = re.findall(r'text-anchor="middle">([^<]*)<', drawn)
        assert below[-1] == "epoch"
        assert all(float(at).is_integer() for at in below[:-1])
        assert below[:-1]


@pytest.mark.parametrize("values", [[0.5], [0.0, 0.0], [1e-320, 2e-320], [-1.7e308, 1.7e308], [0.1, 0.2, 0.30000001]])
def test_a_chart_stands_any_values(values: list[float]) -> None:
    """One value, equal, tiny and huge ones: every position is a finite number."""
    drawn = charts.lines("t", {"a": list(enumerate(values))}, x_label="epoch")
    assert drawn.count("<circle") == len(values)
    assert "nan" not in drawn
    assert "inf" not in drawn
    assert charts.lines("t", {}, x_label="epoch") == ""


def test_long_curves_stay_small_and_keep_their_peaks() -> None:
    """Of 10,000 epochs about a hundred points are drawn, with the best one among them."""
    line = [(float(at), 0.5 + (at == 7777)) for at in range(10_000)]
    drawn = charts.lines("t", {"a": line}, x_label="epoch")
    (points,) = re.findall(r'points="([^"]*)"', drawn)
    heights = [float(point.partition(",")[2]) for point in points.split()]
    assert len(heights) <= 130
    assert min(heights) < max(heights) - 100
    assert drawn.count("<circle") == 1
