"""Tests of planned faults."""
