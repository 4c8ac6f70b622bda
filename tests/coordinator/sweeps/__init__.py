"""Tests of coordinator/sweeps."""
