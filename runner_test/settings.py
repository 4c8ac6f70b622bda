"""What its user may choose about the local Kaggle: isolation, layout of the inputs, limits, quotas.

A version is saved with the settings of the server that took it, so its session doesn't depend on who runs it when.
`[tool.coord.local]` in a project's pyproject.toml has the same names and defaults.
"""

import math
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Layout: TypeAlias = Literal["2026", "2025"]

GIB: Final = 1 << 30
MIB: Final = 1 << 20
GB: Final = 10**9


@dataclass(frozen=True)
class Settings:
    """Settings of the local Kaggle. Limits may be `math.inf`, which is none. Raises ValueError for what can't be."""

    isolation: Literal["auto", "none"] = "auto"
    """auto: in namespaces of its own where this machine allows it; none: as the user who pushed."""
    layout: Layout = "2026"
    """Where inputs are mounted (layout.py)."""
    memory_gib: float = 30.0
    """Memory of a session, all its processes together (Kaggle's machines have 29 to 30 GiB)."""
    output_gb: float = 20.0
    """What may lie in the working directory."""
    output_files: float = 10_000
    """How many files may lie there. Kaggle's listings break with very many; how many those are is not documented."""
    log_mib: float = 64.0
    """Length of the log; what a session says beyond that is dropped."""
    gpu_quota_hours: float = 30.0
    """Hours a week of sessions on machines with GPUs."""
    tpu_quota_hours: float = 20.0
    """The same for TPUs."""

    def __post_init__(self) -> None:
        if self.isolation not in ("auto", "none"):
            raise ValueError(f'isolation must be "auto" or "none", is {self.isolation!r}')
        if self.layout not in ("2026", "2025"):
            raise ValueError(f'layout must be "2026" or "2025", is {self.layout!r}')
        for name in ("memory_gib", "output_gb", "output_files", "log_mib"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be > 0 (inf is no limit), is {getattr(self, name)}")
        for name in ("gpu_quota_hours", "tpu_quota_hours"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be a number of hours >= 0, is {getattr(self, name)}")


DEFAULTS: Final = Settings()
