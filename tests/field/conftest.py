"""The sample project, its ledger and `coord` in it, for the inputs that were tried on them."""

from tests.coordinator.conftest import coord as coord, ledger as ledger, tiny as tiny
