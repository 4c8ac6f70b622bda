"""Tests of the room model_src/network."""
