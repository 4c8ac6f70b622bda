"""Tests of coordinator/project."""
