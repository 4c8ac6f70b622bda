"""Tests of coordinator/project/declaration."""
