"""Tests of coordinator/ui."""
