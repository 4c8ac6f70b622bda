"""Tests of model_src/output."""
