"""The target of kind slurm, without an engine."""
