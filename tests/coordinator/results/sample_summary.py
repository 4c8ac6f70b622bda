"""A small metrics.json: two metrics, one of them primary and with folds, and a baseline of each."""

from __future__ import annotations

from typing import Any

SUMMARY: dict[str, Any] = {
    "primary": {"name": "cv/dice", "mode": "max", "value": 0.75},
    "metrics": [
        {"name": "val/loss", "mode": "min", "folds": [], "mean": 0.4, "sd": None, "n": 8},
        {
            "name": "cv/dice",
            "mode": "max",
            "folds": [{"fold": 0, "value": 0.7, "n": 4}, {"fold": 1, "value": 0.8, "n": 4}],
            "mean": 0.75,
            "sd": 0.0707,
            "n": 8,
        },
    ],
    "baselines": [
        {"name": "all-empty", "metric": "cv/dice", "value": 0.5},
        {"name": "constant", "metric": "val/loss", "value": 1},
    ],
}
