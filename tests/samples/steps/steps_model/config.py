"""Its config."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Train:
    steps: int = 3
    seconds: float = 0.0
    """Of a step of the first start, so that it can be stopped. They change no result."""
    resume_from: str | None = None


@dataclass(frozen=True)
class Config:
    train: Train = field(default_factory=Train)
