"""Tests of coordinator/ledger."""
