"""Settings of the local Kaggle: isolation, layout of the inputs, limits, quotas.

A version is saved with the settings of the server that accepted it, so its session does not depend on later settings.
`[tool.coord.local]` in a project's pyproject.toml has the same names and defaults.
"""

import math
from dataclasses import dataclass, fields
from typing import Final, Literal, TypeAlias

Layout: TypeAlias = Literal["2026", "2025"]


@dataclass(frozen=True)
class Settings:
    """Settings of the local Kaggle; a limit of 0 means no limit. Raises ValueError for an invalid value."""

    isolation: Literal["auto", "none"] = "auto"
    """auto: a session runs in its own namespaces if this machine allows it; none: as the user who pushed."""
    layout: Layout = "2026"
    """Where inputs are mounted (sessions/layout.py)."""
    memory_gib: float = 30.0
    """Memory of all processes of a session together (Kaggle's machines have 29 to 30 GiB)."""
    output_gb: float = 20.0
    """Size of all files in the working directory together."""
    temporary_gb: float = 60.0
    """Size of all files that a session writes elsewhere: in its home, in /tmp, in /kaggle/temp. (The disk of Kaggle's
    machines has about as much left.)"""
    output_files: float = 10_000
    """Number of files in the working directory. Kaggle's listings fail for very many; the limit is not documented."""
    log_mib: float = 64.0
    """Size of the log; output beyond it is dropped."""
    secrets: str = ".coord/secrets.toml"
    """TOML file of the secrets that a session gets by `kaggle_secrets`; only its owner may read it. The paths of a
    store's settings are absolute. There need not be such a file."""
    gpu_quota_hours: float = 30.0
    """Hours a week of sessions on machines with GPUs."""
    tpu_quota_hours: float = 20.0
    """Hours a week of sessions on machines with TPUs."""
    gpu_sessions: int = 2
    """Sessions with a GPU that one user may have at a time. One more is refused, as on Kaggle; with 0 it waits in the
    queue, as sessions without a GPU do."""
    dataset_gb: float = 200.0
    """Size of all files of a data set's version together, archives unpacked."""
    dataset_seconds: float = 1.0
    """How long a new version of a data set is processed, before it is ready and can be attached."""
    dataset_early: Literal["refuse", "older"] = "refuse"
    """refuse: a push that attaches a data set is answered with 409 while its newest version is processed; older: it
    gets the version before. Both were seen on Kaggle."""

    def __post_init__(self) -> None:
        if self.isolation not in ("auto", "none"):
            raise ValueError(f'isolation must be "auto" or "none", is {self.isolation!r}')
        if self.layout not in ("2026", "2025"):
            raise ValueError(f'layout must be "2026" or "2025", is {self.layout!r}')
        if self.dataset_early not in ("refuse", "older"):
            raise ValueError(f'dataset_early must be "refuse" or "older", is {self.dataset_early!r}')
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, str) and not 0 <= value < math.inf:
                raise ValueError(f"{field.name} must be >= 0, is {value:g}")

    @property
    def memory(self) -> float:
        """Limit of the memory, in bytes."""
        return self.memory_gib * (1 << 30) or math.inf

    @property
    def output(self) -> float:
        """Limit of the output, in bytes."""
        return self.output_gb * 10**9 or math.inf

    @property
    def temporary(self) -> float:
        """Limit of the files elsewhere, in bytes."""
        return self.temporary_gb * 10**9 or math.inf

    @property
    def files(self) -> float:
        """Limit of the number of output files."""
        return self.output_files or math.inf

    @property
    def dataset(self) -> float:
        """Limit of a data set's version, in bytes."""
        return self.dataset_gb * 10**9 or math.inf

    @property
    def log(self) -> float:
        """Limit of the log, in bytes."""
        return self.log_mib * (1 << 20) or math.inf


DEFAULTS: Final = Settings()
