"""The engines, and `coord` in the sample project."""

import os

import pytest

from tests.clusters.engines import (
    _ray as _ray,
    _slurm as _slurm,
    _sshd as _sshd,
    ray_head as ray_head,
    slurm_cluster as slurm_cluster,
    ssh_host as ssh_host,
)
from tests.coordinator.conftest import coord as coord, ledger as ledger, tiny as tiny


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Minutes of training, and engines that take long to start, are for `make test-clusters`."""
    if os.environ.get("CLUSTERS") == "all":
        return
    for item in items:
        if item.get_closest_marker("clusters_only"):
            item.add_marker(pytest.mark.skip(reason="takes minutes: make test-clusters"))
