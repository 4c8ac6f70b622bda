"""Kernels as jobs of a Ray cluster: its Jobs API over plain HTTP, without Ray on this machine.

`jobs` asks the head, `room` decides what fits, `state` judges a run by its own record and the head's answer,
`target` has the methods of a target, `check` is for the doctor.
"""

from coordinator.target.ray.check import findings
from coordinator.target.ray.target import open_ray

__all__ = ["findings", "open_ray"]
