"""Tests of the model source."""
