"""Tests of model_src/network."""
