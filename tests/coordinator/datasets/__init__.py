"""Tests of coordinator/datasets."""
