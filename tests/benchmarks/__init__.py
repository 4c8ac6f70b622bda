"""Tests of the benchmarks that check something, beside the speed."""
