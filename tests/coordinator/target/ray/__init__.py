"""Ray as a target, without a cluster: what fits, how a run is, a head that answers anything."""
