"""The fixtures of `planned.py` for these tests."""

from tests.runner_test.faults.planned import served as served, planned as planned
