"""Tests of how values look on a terminal."""
