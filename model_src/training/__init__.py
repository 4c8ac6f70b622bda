"""Training: trains the folds in one process or several, stops in time, and continues an earlier run."""

from .best_epochs import Weights
from .feasible import check_folds
from .fold import train_fold
from .own_weights import check_own_weights
from .resume import carry_over, check_earlier, drop_progress, find_earlier
from .run import Run
from .stopping import OutOfTime, Stop
from .timing import LoopTimer
from .world import (
    SINGLE_PROCESS,
    World,
    compute_deterministically,
    is_launched,
    join,
    launch,
    leave,
    processes,
    recorded_failures,
)

__all__ = [
    "SINGLE_PROCESS",
    "LoopTimer",
    "OutOfTime",
    "Run",
    "Stop",
    "Weights",
    "World",
    "carry_over",
    "check_earlier",
    "check_folds",
    "check_own_weights",
    "compute_deterministically",
    "drop_progress",
    "find_earlier",
    "is_launched",
    "join",
    "launch",
    "leave",
    "processes",
    "recorded_failures",
    "train_fold",
]
