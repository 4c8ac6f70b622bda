"""Clusters, without an engine."""
