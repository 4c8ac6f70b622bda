"""The fixtures of `planned.py` for these tests."""

from tests.runner_test.faults.planned import _served as _served, planned as planned
