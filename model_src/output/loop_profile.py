"""What metrics.json says about where the training loop's seconds go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

PARTS = ("data", "transfer", "forward", "backward", "step")
"""Of one training step, in its order. "step" is the optimizer's, with clipping."""


def profile(seconds: Mapping[str, float], evaluation: float, steps: int, measured_steps: int) -> dict[str, Any]:
    """Seconds of each part, those of the evaluation beside them, what is the limit, and one line."""
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
    """Of several runs, as if one had done it all."""
    seconds = {name: round(sum(each[name] for each in profiles), 3) for name in PARTS}
    steps, measured = (sum(each[name] for each in profiles) for name in ("steps", "measured_steps"))
    return profile(seconds, sum(each["evaluation"] for each in profiles), steps, measured)
