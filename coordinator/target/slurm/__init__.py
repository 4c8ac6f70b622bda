"""Slurm clusters: coord hands jobs to the cluster's own sbatch, and schedules nothing itself.

`client` has the target, `script` the batch script, `far_slurm` what runs on the login node, `states` how a state is
found, `findings` what the doctor checks.
"""

from coordinator.target.slurm.findings import findings
from coordinator.target.slurm.open import open_slurm

__all__ = ["findings", "open_slurm"]
