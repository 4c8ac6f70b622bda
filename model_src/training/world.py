"""The processes that share one run: their ranks, their collective operations, and how they are started.

There is one process per graphics card, started by torch's elastic launcher, as by `torchrun`. A run that was started
with `torchrun -m model_src.train` keeps its processes. All processes do the same work on different images. Every
process has to call each collective operation.
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
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from ..config import TrainConfig
from ..files import write_text

Item = TypeVar("Item")

_ERRORS = "COORD_ERRORS"
"""The environment variable with the folder where processes write their errors."""

TIMEOUT = timedelta(hours=2)
"""How long a process waits for the others in a collective operation: one may save or draw alone."""


@dataclass(frozen=True)
class World:
    """One of `size` processes; by default the only one."""

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the process that reports."""
        return self.rank == 0

    def own(self, items: Sequence[Item]) -> Sequence[Item]:
        """The items of this process: every `size`-th one, from `rank` on."""
        return items[self.rank :: self.size]

    def gather(self, values: Iterable[Item]) -> list[Item]:
        """The values of all processes, in the order of the ranks."""
        if self.size == 1:
            return list(values)
        found: list[list[Item]] = [[]] * self.size
        dist.all_gather_object(found, list(values))
        return [value for each in found for value in each]

    def total(self, number: int) -> int:
        """The sum over the processes."""
        return int(self.add(torch.tensor(number))) if self.size > 1 else number

    def add(self, values: Tensor) -> Tensor:
        """The sum over the processes, which also replaces `values`."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def agree(self, reason: str | None) -> str | None:
        """The reason of the process with the lowest rank that has one; None if no process has."""
        if not self.total(reason is not None):
            return None
        return next(each for each in self.gather([reason]) if each is not None)

    def first(self, make: Callable[[], Item]) -> Item:
        """The result of `make` in the first process, in all processes. If it raises there, the others end."""
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
            raise SystemExit(f"process {self.rank + 1} of {self.size} ends: the first one failed")
        return made[0][0]


SINGLE_PROCESS = World()


def join() -> tuple[World, torch.device]:
    """The world of this process, by the environment of the launcher, and its device; raises as `check_cards`."""
    rank, size = (int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])) if is_launched() else (0, 1)
    check_cards(int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
    card = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if torch.cuda.is_available() else None
    if card:
        torch.cuda.set_device(card)
    if size > 1:
        # Objects and counts are exchanged between CPUs, gradients between GPUs.
        dist.init_process_group("cpu:gloo,cuda:nccl" if card else "gloo", timeout=TIMEOUT)
    return World(rank, size), card or torch.device("cpu")


def compute_deterministically(config: TrainConfig) -> None:
    """Set torch's flags as `train.deterministic` says; before the first use of a graphics card."""
    if not config.deterministic:
        return
    # cuBLAS reads it when it starts; torch's deterministic mode requires it.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False


def leave(world: World) -> None:
    """Close the connections after a successful run; after a failure they end with the process."""
    if world.size > 1:
        dist.destroy_process_group()


def processes(config: TrainConfig) -> int:
    """The number of processes of a run: `train.processes`, else one per graphics card, but only as many as are useful.

    Each process has the same number of parts of a step, so the result divides the number of parts. Raises ValueError if
    they were to share a card.
    """
    wanted = config.processes or max(1, torch.cuda.device_count())
    parts = config.micro_batches or min(wanted, config.batch_size)
    count = max(count for count in range(1, wanted + 1) if parts % count == 0)
    check_cards(count)
    return count


def check_cards(count: int) -> None:
    """Raise ValueError if `count` processes on this machine would share a graphics card, which NCCL cannot."""
    cards = torch.cuda.device_count()
    if 0 < cards < count:
        raise ValueError(
            f"{count} processes need a graphics card each, and this machine has {cards}: leave out train.processes, "
            f"which is one process a card; train.micro_batches: {count} alone divides each batch in the same way"
        )


def is_launched() -> bool:
    """Whether a launcher started this process."""
    return {"RANK", "WORLD_SIZE", "MASTER_ADDR"} <= os.environ.keys()


@contextlib.contextmanager
def recorded_failures(world: World, describe: Callable[[BaseException], Mapping[str, str]]) -> Iterator[None]:
    """Write an exception of the block to a file for the process that started this one, and raise it again.

    Except SystemExit, which a process raises after a request to stop or when another process has failed.
    """
    try:
        yield
    except Exception as error:
        if _ERRORS in os.environ:
            note = {"time": time.time(), "rank": world.rank, "error": describe(error)}
            write_text(Path(os.environ[_ERRORS], f"{world.rank}.json"), json.dumps(note))
        raise


def launch(module: str, count: int) -> tuple[int, dict[str, str] | None]:
    """Run a module in `count` processes.

    Returns the exit code of the first process that failed, 0 if none did. The second value is its error, if it is not
    the process that writes the report: that one sees only a broken connection. A signal to this process is sent to all
    processes, which have 30 seconds to save their state.
    """
    # More threads than cores, over all processes, would be slower.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // count)))
    # Each process prints its own error; the launcher would repeat it in a table.
    logging.disable(logging.ERROR)
    settings = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=count,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        # A free port, because several runs may share a machine; an address, because the host name may not resolve.
        rdzv_endpoint="127.0.0.1:0",
        local_addr="127.0.0.1",
        max_restarts=0,
    )
    with tempfile.TemporaryDirectory(prefix="coord-errors-") as folder:
        os.environ[_ERRORS] = folder
        try:
            elastic_launch(settings, sys.executable)("-m", module)
        except ChildFailedError as error:
            rank, failure = cause(error.failures)
            return exit_code(failure.exitcode), _first_error(Path(folder), rank, failure.exitcode)
        except SignalException as error:
            return 128 + int(error.sigval), None
    return 0, None


def cause(failures: Mapping[int, ProcessFailure]) -> tuple[int, ProcessFailure]:
    """(rank, failure) of the process that failed first.

    One that a signal ended comes before those that failed by themselves: they see a connection that broke off, and the
    launcher may hear of both at once. SIGTERM is how the launcher ends the others.
    """

    def order(failure: ProcessFailure) -> tuple[bool, bool, int]:
        return failure.exitcode == -signal.SIGTERM, failure.exitcode >= 0, failure.timestamp

    return min(failures.items(), key=lambda each: order(each[1]))


def exit_code(code: int) -> int:
    """The exit code as in a shell: 128 + number of the signal for a process that was ended by a signal."""
    return code if code >= 0 else 128 - code


def _first_error(notes: Path, rank: int, code: int) -> dict[str, str] | None:
    """The earliest error, if it is not of the first process; `rank` and `code` are those of the launcher."""
    if rank and code < 0:  # it could not write its error
        what = f"process {rank + 1} was ended by {signal.Signals(-code).name}"
        if code == -signal.SIGKILL:
            what += ": the machine has most likely run out of memory"
        return {"type": "ProcessFailed", "message": what, "traceback": ""}
    found = [json.loads(file.read_text(encoding="utf-8")) for file in notes.glob("*.json")]
    first = min(found, key=lambda note: note["time"], default=None)
    return first["error"] if first and first["rank"] else None
