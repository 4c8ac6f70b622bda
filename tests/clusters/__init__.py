"""Clusters: real engines, started for the tests."""
