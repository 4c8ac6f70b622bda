"""Tests of coordinator/transfers."""
