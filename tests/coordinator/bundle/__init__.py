"""Tests of coordinator/bundle."""
