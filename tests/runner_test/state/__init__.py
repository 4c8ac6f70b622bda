"""Tests of the records on disk."""
