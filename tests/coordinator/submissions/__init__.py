"""Tests of coordinator/submissions."""
