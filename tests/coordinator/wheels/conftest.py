"""The folder that stands for an index, for all tests of wheels."""

from tests.coordinator.wheels.made import index as index
