"""The fixtures of `planned.py` for these tests."""

from tests.runner_test.faults.planned import planned as planned, served as served
