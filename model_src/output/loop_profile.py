"""The profile of the training loop as it is in metrics.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

PARTS = ("data", "transfer", "forward", "backward", "step")
"""The parts of a training step, in order; "step" is the step of the optimizer with gradient clipping."""


def profile(seconds: Mapping[str, float], evaluation: float, steps: int, measured_steps: int) -> dict[str, Any]:
    """Seconds of each part and of the evaluation, the slowest part ("limit"), and a line of text."""
    total = sum(seconds.values())
    limit = max(seconds, key=seconds.__getitem__) if total else None
    shares = ", ".join(f"{name} {value / total:.0%}" for name, value in seconds.items()) if total else "not measured"
    text = f"training loop {total:.1f} s in {steps} steps: {shares}; evaluation {evaluation:.1f} s"
    return {
        **seconds,
        "evaluation": round(evaluation, 3),
        "steps": steps,
        "measured_steps": measured_steps,
        "limit": limit,
        "text": f"{text}; the limit is {limit}" if limit else text,
    }


def merge_profiles(profiles: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The profile of several runs together."""
    seconds = {name: round(sum(each[name] for each in profiles), 3) for name in PARTS}
    steps, measured = (sum(each[name] for each in profiles) for name in ("steps", "measured_steps"))
    return profile(seconds, sum(each["evaluation"] for each in profiles), steps, measured)
