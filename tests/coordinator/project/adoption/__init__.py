"""Tests of `coord init` in an existing repository."""
