"""Tests of coordinator/results."""
