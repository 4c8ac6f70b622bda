"""Tests of the readers of metrics."""
