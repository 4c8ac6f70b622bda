"""The engines, and `coord` in the sample project."""

from tests.clusters.engines import (
    _ray as _ray,
    _slurm as _slurm,
    _sshd as _sshd,
    ray_head as ray_head,
    slurm_cluster as slurm_cluster,
    ssh_host as ssh_host,
)
from tests.coordinator.conftest import coord as coord, ledger as ledger, tiny as tiny
