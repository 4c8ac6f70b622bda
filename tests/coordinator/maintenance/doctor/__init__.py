"""Tests of coordinator/maintenance/doctor."""
