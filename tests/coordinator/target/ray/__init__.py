<<<<<<< HEAD
"""Ray as a target, without a cluster: what fits, how a run is, a head that answers anything."""
=======
"""The target of kind ray, without an engine."""
>>>>>>> slurm
