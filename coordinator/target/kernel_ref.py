"""The name of one version of one kernel."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class KernelRef:
    """One version of one kernel."""

    owner: str
    slug: str
    version: int

    def __str__(self) -> str:
        return f"{self.owner}/{self.slug} v{self.version}"

    @property
    def address(self) -> str:
        """The kernel, as Kaggle names it."""
        return f"{self.owner}/{self.slug}"

    @property
    def label(self) -> str:
        """The version, in the form that Kaggle's requests use."""
        return f"v{self.version}"
