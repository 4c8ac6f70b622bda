"""How a run went: what went wrong, where its training was resumed or stopped, where the time of its loop went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from coordinator.results.untrusted import numbers, text, whole


@dataclass(frozen=True)
class ReportedError:
    """What went wrong, by the run's own account."""

    type: str
    message: str
    traceback: str

    @classmethod
    def parse(cls, data: object) -> ReportedError | None:
        """None if there is none. A program of another kind may write a text instead of an object."""
        parts = data if isinstance(data, dict) else {"message": data}
        found = cls(*(text(parts.get(name)) for name in ("type", "message", "traceback")))
        return found if found.type or found.message or found.traceback else None

    @property
    def line(self) -> str:
        """`ValueError: no images`."""
        return ": ".join(filter(None, [self.type, self.message]))


@dataclass(frozen=True)
class Interruption:
    """Where in its training a run went on from an earlier one, or stopped."""

    seed: int | None
    fold: int | None
    epoch: int | None
    step: int | None
    source: str
    """The kernel that it went on from; empty where it stopped."""
    reason: str
    """Why it stopped; empty where it went on."""

    @classmethod
    def parse(cls, data: dict[str, Any]) -> Interruption:
        return cls(
            seed=whole(data.get("seed")),
            fold=whole(data.get("fold")),
            epoch=whole(data.get("epoch")),
            step=whole(data.get("step")),
            source=text(data.get("from")),
            reason=text(data.get("reason")),
        )


_STEPS = ("steps", "measured_steps")


@dataclass(frozen=True)
class LoopProfile:
    """Where the time of the training loop goes."""

    seconds: Mapping[str, float]
    """Of each part, and of the evaluation beside them."""
    steps: int | None
    measured_steps: int | None
    limit: str
    """The part that takes longest; empty if nothing was measured."""
    text: str
    """All of it in one line."""

    @classmethod
    def parse(cls, data: dict[str, Any]) -> LoopProfile:
        return cls(
            seconds=numbers({name: value for name, value in data.items() if name not in _STEPS}),
            steps=whole(data.get("steps")),
            measured_steps=whole(data.get("measured_steps")),
            limit=text(data.get("limit")),
            text=text(data.get("text")),
        )
