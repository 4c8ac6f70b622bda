"""Tests of model_src/training."""
