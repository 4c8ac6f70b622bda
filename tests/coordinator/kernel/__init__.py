"""Tests of coordinator/kernel."""
