"""The answers of a live check: facts, each with what coord assumes and what was seen; as Markdown and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from coordinator.errors import CoordError

Verdict = Literal["agrees", "differs", "not tried", "not known"]

_WIDEST = 300  # characters of what was seen


class NotTried(CoordError):
    """A question that was left out, for a reason that is no failure."""


@dataclass(frozen=True)
class Answer:
    """What a probe saw."""

    seen: str
    agrees: bool
    """Whether it is what coord assumes."""


@dataclass(frozen=True)
class Fact:
    name: str
    assumed: str
    where: str
    """The part of coord, or of its documents, that assumes it."""
    verdict: Verdict
    seen: str
    """What was seen; for the last two verdicts, why nothing was."""

    def to_json(self) -> dict[str, Any]:
        return {
            "fact": self.name,
            "assumed": self.assumed,
            "where": self.where,
            "verdict": self.verdict,
            "seen": self.seen,
        }


@dataclass(frozen=True)
class Facts:
    """All facts of one check."""

    heading: Mapping[str, str]
    """When, where, with which versions."""
    facts: tuple[Fact, ...]
    left_out: Mapping[str, str]
    """What no check can try without cost or risk -> why."""

    def of(self, verdict: Verdict) -> list[Fact]:
        return [fact for fact in self.facts if fact.verdict == verdict]

    def counts(self) -> str:
        """How many there are of each verdict, in a line."""
        verdicts: tuple[Verdict, ...] = ("agrees", "differs", "not tried", "not known")
        numbers = {verdict: len(self.of(verdict)) for verdict in verdicts}
        return f"{len(self.facts)} facts: " + ", ".join(f"{count} {name}" for name, count in numbers.items() if count)

    def to_json(self) -> str:
        data = {**self.heading, "facts": [fact.to_json() for fact in self.facts], "left_out": dict(self.left_out)}
        return json.dumps(data, indent=2, ensure_ascii=False) + "\n"

    def to_markdown(self) -> str:
        heading = "\n".join(f"- {name}: {value}" for name, value in self.heading.items())
        rows = [(fact.name, fact.assumed, fact.where, fact.verdict, fact.seen) for fact in self.facts]
        facts = _table(("fact", "coord assumes", "where", "verdict", "seen"), rows)
        left_out = _table(("not asked", "why"), self.left_out.items())
        return f"# Facts about {self.heading['target']}\n\n{heading}\n- {self.counts()}\n\n{facts}\n{left_out}"


def shortened(text: str) -> str:
    """The text in one line of a table."""
    line = " ".join(text.split())
    return line if len(line) <= _WIDEST else f"{line[:_WIDEST]}..."


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)
