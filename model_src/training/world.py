"""The processes that share one run: who they are, what they exchange, and how they are started.

One process a graphics card, started by torch's elastic launcher, which is what `torchrun` runs; a run that somebody
started with `torchrun -m model_src.train` is taken as it is. All processes do the same work on different pictures:
each exchange is a collective, so every process has to come to it.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from ..config import TrainConfig
from ..files import write_text

Item = TypeVar("Item")

_ERRORS = "COORD_ERRORS"
"""Names the folder in which the processes note what went wrong."""

PATIENCE = timedelta(hours=2)
"""How long a process waits for the others: one may evaluate, save or draw alone."""


@dataclass(frozen=True)
class World:
    """One process among `size` of them; alone by default."""

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the process that reports."""
        return self.rank == 0

    def own(self, items: Sequence[Item]) -> Sequence[Item]:
        """Those that fall to this process when they are dealt out one by one."""
        return items[self.rank :: self.size]

    def gather(self, values: Iterable[Item]) -> list[Item]:
        """Every process's values, those of the first process first."""
        if self.size == 1:
            return list(values)
        found: list[list[Item]] = [[]] * self.size
        dist.all_gather_object(found, list(values))
        return [value for each in found for value in each]

    def total(self, number: int) -> int:
        """The sum over the processes."""
        return int(self.add(torch.tensor(number))) if self.size > 1 else number

    def add(self, values: Tensor) -> Tensor:
        """The sum over the processes, in place, too."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def agree(self, reason: str | None) -> str | None:
        """The first reason that any process has, None if none has one."""
        if not self.total(reason is not None):
            return None
        return next(each for each in self.gather([reason]) if each is not None)

    def first(self, make: Callable[[], Item]) -> Item:
        """What the first process makes, for all of them. What goes wrong there goes on there, and ends the others."""
        if self.size == 1:
            return make()
        made: list[tuple[Item] | None] = [None]
        if self.is_first:
            try:
                made = [(make(),)]
            finally:
                dist.broadcast_object_list(made)
        else:
            dist.broadcast_object_list(made)
        if made[0] is None:
            raise SystemExit(f"process {self.rank + 1} of {self.size} ends: the first one could not go on")
        return made[0][0]


ALONE = World()


def join() -> tuple[World, torch.device]:
    """The world that the launcher started this process into, or one of its own; and the device to compute on."""
    rank, size = (int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])) if is_launched() else (0, 1)
    card = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if torch.cuda.is_available() else None
    if card:
        torch.cuda.set_device(card)
    if size > 1:
        # Objects and counts travel through the processors, tensors of the model between the cards.
        dist.init_process_group("cpu:gloo,cuda:nccl" if card else "gloo", timeout=PATIENCE)
    return World(rank, size), card or torch.device("cpu")


def leave(world: World) -> None:
    """Close the connections of a run that went well; those of one that didn't end with its process."""
    if world.size > 1:
        dist.destroy_process_group()


def processes(config: TrainConfig) -> int:
    """How many should share the run: one a card if nothing else is said, but only as many as have something to do.

    A step's parts are dealt out evenly, so their number decides where it is set.
    """
    wanted = config.processes or max(1, torch.cuda.device_count())
    parts = config.micro_batches or min(wanted, config.batch_size)
    return max(count for count in range(1, wanted + 1) if parts % count == 0)


def is_launched() -> bool:
    """Whether a launcher started this process."""
    return {"RANK", "WORLD_SIZE", "MASTER_ADDR"} <= os.environ.keys()


@contextlib.contextmanager
def failures_noted(world: World, describe: Callable[[BaseException], Mapping[str, str]]) -> Iterator[None]:
    """What goes wrong inside is told to the process that started this one, and then goes on.

    SystemExit is not: with it, a process follows another one, or a request.
    """
    try:
        yield
    except Exception as error:
        if _ERRORS in os.environ:
            note = {"time": time.time(), "rank": world.rank, "error": describe(error)}
            write_text(Path(os.environ[_ERRORS], f"{world.rank}.json"), json.dumps(note))
        raise


def launch(module: str, count: int) -> tuple[int, dict[str, str] | None]:
    """Run a module in so many processes.

    Returns the exit code of the first one that failed, 0 if none did; and what went wrong there, if it is another one
    than the process that reports, which sees only that somebody is gone.
    A signal to this process reaches all of them, and they have half a minute to save what they have.
    """
    # Threads of several processes that fight for the same cores are slower than none.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // count)))
    # Each process says itself what went wrong; the launcher would say it again, in a table.
    logging.disable(logging.ERROR)
    settings = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=count,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        # A free port of this machine: two runs side by side must not meet, and its name may not resolve.
        rdzv_endpoint="127.0.0.1:0",
        local_addr="127.0.0.1",
        max_restarts=0,
    )
    with tempfile.TemporaryDirectory(prefix="coord-errors-") as folder:
        os.environ[_ERRORS] = folder
        try:
            elastic_launch(settings, sys.executable)("-m", module)
        except ChildFailedError as error:
            rank, failure = error.get_first_failure()
            return exit_code(failure.exitcode), _first_error(Path(folder), rank, failure.exitcode)
        except SignalException as error:
            return 128 + int(error.sigval), None
    return 0, None


def exit_code(code: int) -> int:
    """As a shell has it: 128 and the signal's number for a process that a signal ended."""
    return code if code >= 0 else 128 - code


def _first_error(notes: Path, rank: int, code: int) -> dict[str, str] | None:
    """What went wrong first in a process that is not the first; `rank` and `code` are those that the launcher names."""
    if rank and code < 0:  # it could note nothing
        what = f"process {rank + 1} was ended by {signal.Signals(-code).name}"
        if code == -signal.SIGKILL:
            what += ": the machine has most likely run out of memory"
        return {"type": "ProcessFailed", "message": what, "traceback": ""}
    found = [json.loads(file.read_text(encoding="utf-8")) for file in notes.glob("*.json")]
    first = min(found, key=lambda note: note["time"], default=None)
    return first["error"] if first and first["rank"] else None
