"""The training room: trains the folds, in one process or several, stops in time and goes on where it stopped."""

from .best_epochs import Weights
from .fold import train_fold
from .resume import carry_over, check_earlier, drop_progress, find_earlier
from .run import Run
from .stopping import OutOfTime, Stop
from .timing import LoopTimer
from .world import ALONE, World, failures_noted, is_launched, join, launch, leave, processes

__all__ = [
    "ALONE",
    "LoopTimer",
    "OutOfTime",
    "Run",
    "Stop",
    "Weights",
    "World",
    "carry_over",
    "check_earlier",
    "drop_progress",
    "failures_noted",
    "find_earlier",
    "is_launched",
    "join",
    "launch",
    "leave",
    "processes",
    "train_fold",
]
