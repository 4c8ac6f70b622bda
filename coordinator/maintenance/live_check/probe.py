"""A probe: one question to the target, with what coord assumes and where."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from coordinator.errors import CoordError
from coordinator.maintenance.live_check.check import LiveCheck
from coordinator.maintenance.live_check.facts import Answer, Fact, NotTried, shortened


@dataclass(frozen=True)
class Probe:
    name: str
    assumed: str
    where: str
    """The part of coord, or of its documents, that assumes it."""
    ask: Callable[[LiveCheck], Answer]

    def fact(self, check: LiveCheck) -> Fact:
        """Asks. A question that fails is an answer, too: not known, and why."""
        try:
            answer = self.ask(check)
        except NotTried as left_out:
            return self.unanswered("not tried", left_out.what)
        except CoordError as error:
            return self.unanswered("not known", error.what)
        except (LookupError, ValueError, TypeError, AttributeError) as error:
            return self.unanswered("not known", f"the answer has another form: {type(error).__name__} {error}")
        seen = shortened(answer.seen.replace(f"{check.owner}/", "OWNER/").replace(check.stamp, "STAMP"))
        return Fact(self.name, self.assumed, self.where, "agrees" if answer.agrees else "differs", seen)

    def unanswered(self, verdict: Literal["not tried", "not known"], why: str) -> Fact:
        return Fact(self.name, self.assumed, self.where, verdict, shortened(why))
