"""Tests of coordinator/maintenance/ledger."""
