"""Tests with real clusters: a Slurm, a host behind ssh, and the head of a Ray cluster, all on this machine."""
