"""Tests of model_src/prediction."""
