"""Tests of coordinator/target/kaggle."""
