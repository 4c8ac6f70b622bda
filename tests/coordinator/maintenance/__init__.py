"""Tests of coordinator/maintenance."""
