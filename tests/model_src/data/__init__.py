"""Tests of model_src/data."""
