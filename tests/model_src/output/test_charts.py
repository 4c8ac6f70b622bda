"""Charts drawn with Pillow."""

from __future__ import annotations

import numpy as np

from model_src.output.charts import FAINT, GAIN, INK, LOSS, Bar, bar_chart


def test_bars_show_direction_and_length() -> None:
    """What gains and what loses in two colours, lengths in proportion, zero as a stroke."""
    bars = [Bar("up", 0.5, 0.9, "+"), Bar("down", 0.5, 0.4, "-"), Bar("same", 0.5, 0.5, "0")]
    image = np.asarray(bar_chart("title", [("heading", bars)]))
    widths = [max((image == color).all(2).sum(1)) for color in (GAIN, LOSS)]
    assert abs(widths[0] / widths[1] - 4) < 0.2
    assert (image == FAINT).all(2).any()
    assert (image == INK).all(2).any()
    flat = bar_chart("title", [("heading", [Bar("a", 1.0, 1.0, "")])])
    assert flat.size[0] == image.shape[1]
