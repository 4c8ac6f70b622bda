"""Tests of coordinator/handover."""
