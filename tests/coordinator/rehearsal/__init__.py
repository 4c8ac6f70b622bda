"""Tests of coordinator/rehearsal."""
