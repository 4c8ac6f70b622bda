"""Tests of coordinator/runs/fetch."""
