"""What Slurm and Ray have in common: kernels on a shared file system, reached by a shell here or over ssh.

`shell` runs commands, `far_side` asks `far` (the program that answers on the other side), `starter` runs in the job,
`place` has the methods of a target that need no engine.
"""

from coordinator.target.cluster.attached import attached_remedy
from coordinator.target.cluster.far_side import FarSide
from coordinator.target.cluster.place import ClusterPlace, Order
from coordinator.target.cluster.python import Container, python_findings
from coordinator.target.cluster.record import RunRecord
from coordinator.target.cluster.shell import Shell, ShellReply, open_shell
from coordinator.target.cluster.starter import REQUEUE

__all__ = [
    "REQUEUE",
    "ClusterPlace",
    "Container",
    "FarSide",
    "Order",
    "RunRecord",
    "Shell",
    "ShellReply",
    "attached_remedy",
    "open_shell",
    "python_findings",
]
