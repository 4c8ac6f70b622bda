"""Tests of the live check, against the local Kaggle."""
