"""Tests of coordinator/comparison."""
