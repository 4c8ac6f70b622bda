"""Kaggle's protocol as it is on the wire: one call, its answer as it came. Only `coord live-check` needs that.

Nothing is repeated, checked or explained here: what a target answers is the question.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from coordinator.errors import TargetError
from coordinator.target.protocol import Target


@dataclass(frozen=True)
class Reply:
    """An answer, whatever it says."""

    status: int
    """Of HTTP."""
    kind: str
    """The type of its content, without parameters: application/json."""
    text: str
    """What was read of its body."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """The names in lower case."""
    has_ended: bool = True
    """False: the body went on when reading it stopped."""

    @property
    def data(self) -> dict[str, Any]:
        """The body's JSON object; empty if it is none."""
        try:
            found = json.loads(self.text)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def code(self) -> int:
        """The status; that in the body, if it has one: Kaggle also answers with 200 and an error."""
        inner = self.data.get("code")
        return inner if isinstance(inner, int) and inner >= 400 else self.status

    @property
    def refusal(self) -> str:
        """Why it is one, in the target's words or as "HTTP 403"; empty for an answer that is no refusal."""
        words = self.data.get("error") or self.data.get("errorMessage")
        if self.code < 400:
            return str(words or "")
        said = self.data.get("message") or words
        return f"HTTP {self.code}{f': {said}' if said else ''}"


class Wire(Protocol):
    """Raises NoAnswer (or a leaf of TargetError) only where there is no answer at all."""

    def call(self, method: str, fields: Mapping[str, Any], *, signed: bool = True, seconds: float = 60.0) -> Reply:
        """A call of `service/method`, for example "kernels.KernelsApiService/GetKernel".

        After `seconds` it returns what has arrived of the body. Without `signed` it has no credentials.
        """
        ...

    def get(self, url: str, headers: Mapping[str, str]) -> Reply:
        """A file at a signed address, which gets no credentials; no more than its first 64 KiB are read."""
        ...

    def put(self, url: str, piece: bytes, span: str) -> Reply:
        """Sends a piece of a file to a signed address; `span` is the header Content-Range."""
        ...


def wire_of(target: Target) -> Wire:
    """The protocol of that target. Raises TargetError if it has another one than Kaggle's."""
    wire: Wire | None = getattr(target, "wire", None)
    if wire is None:
        raise TargetError(f"{target.name} does not have Kaggle's protocol")
    return wire
