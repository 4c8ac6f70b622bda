"""Tests of model_src/analysis."""
