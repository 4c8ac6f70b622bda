"""How a run went: its error, where its training was resumed or stopped, how long each part of its loop took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from coordinator.results.untrusted import numbers, text, whole


@dataclass(frozen=True)
class ReportedError:
    """The error that ended the run."""

    type: str
    message: str
    traceback: str

    @classmethod
    def parse(cls, data: object) -> ReportedError | None:
        """None if there is none. Other programs than the model source may report a text instead of an object."""
        parts = data if isinstance(data, dict) else {"message": data}
        found = cls(*(text(parts.get(name)) for name in ("type", "message", "traceback")))
        return found if found.type or found.message or found.traceback else None

    @property
    def line(self) -> str:
        """`ValueError: no images`."""
        return ": ".join(filter(None, [self.type, self.message]))


@dataclass(frozen=True)
class Interruption:
    """The place in the training where a run continued an earlier one, or stopped."""

    seed: int | None
    fold: int | None
    epoch: int | None
    step: int | None
    source: str
    """The kernel that it continued; empty if this is where it stopped."""
    reason: str
    """Why it stopped; empty if this is where it continued."""

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
    """How long each part of the training loop took."""

    seconds: Mapping[str, float]
    """Part of the loop -> seconds; the evaluation has its own."""
    steps: int | None
    measured_steps: int | None
    limit: str
    """The part that takes longest; empty if nothing was measured."""
    text: str
    """The whole profile in one line."""

    @classmethod
    def parse(cls, data: dict[str, Any]) -> LoopProfile:
        return cls(
            seconds=numbers({name: value for name, value in data.items() if name not in _STEPS}),
            steps=whole(data.get("steps")),
            measured_steps=whole(data.get("measured_steps")),
            limit=text(data.get("limit")),
            text=text(data.get("text")),
        )
