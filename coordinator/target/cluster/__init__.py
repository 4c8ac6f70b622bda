"""What Slurm and Ray have in common: kernels on a shared file system, reached by a shell here or over ssh.

`shell` runs commands, `far_side` asks `far` (the program that answers on the other side), `starter` runs in the job,
`place` has the methods of a target that need no engine.
"""

from coordinator.target.cluster.far_side import FarSide
from coordinator.target.cluster.place import ClusterPlace, Order
from coordinator.target.cluster.record import Attempt, RunRecord
from coordinator.target.cluster.shell import Reply, Shell, open_shell

__all__ = ["Attempt", "ClusterPlace", "FarSide", "Order", "Reply", "RunRecord", "Shell", "open_shell"]
