"""Tests of coordinator/report."""
