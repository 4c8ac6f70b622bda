"""Tests of coordinator/target."""
