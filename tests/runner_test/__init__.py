"""Tests of the local Kaggle: its methods, its sessions, its store, and the official command against it."""
