"""Two processes: on one card the program refuses, on two they share each step and merge its gradients once.

python -m benchmarks.gpu_check.pair    one of the two, started by the program's own launcher
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook

import model_src.train
from benchmarks.gpu_check.bench import Bench, here
from benchmarks.gpu_check.budget import Part, Row
from benchmarks.train_step import finish
from model_src.config import to_dict
from model_src.data.dataset import ChestXrays
from model_src.training import join, launch, leave
from model_src.training.engine import EpochSteps, train_epoch
from model_src.training.learner import new_learner
from model_src.training.metric_logger import MetricLogger

STEPS = 3
RESULT = "pair.json"
REFUSED = "two on one card"
STEP, MERGED, EQUAL = "two: a step", "two: merges of gradients in a step of two parts each", "two: weights equal"


def measure_refusal(bench: Bench, _: float) -> Iterator[Row]:
    """Two processes for one card: the program ends with an error that says so, and starts none."""
    if bench.device == "cpu":
        yield Row(REFUSED, status="not here", note="processes share a processor")
        return
    os.environ["CUDA_VISIBLE_DEVICES"] = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    folder = bench.root / "refused"
    folder.mkdir()
    config = bench.config(bench.size.trained, train={"processes": 2})
    (folder / "config.json").write_text(json.dumps(to_dict(config)), encoding="utf-8")
    os.environ["COORD_CONFIG"] = str(folder / "config.json")
    os.chdir(folder)
    try:
        code = model_src.train.main()
    except ValueError as error:
        if "a graphics card each" not in str(error):
            raise
        yield Row(REFUSED, status="passed", note=f"refused: {error}")
    else:
        yield Row(REFUSED, status="failed", note=f"not refused: the program ended with exit code {code}")


def measure_pair(bench: Bench, _: float) -> Iterator[Row]:
    """Two processes, each with a card of its own; on processors with gloo."""
    if bench.device == "cuda" and torch.cuda.device_count() < 2:
        for name in (STEP, MERGED, EQUAL):
            yield Row(name, status="not here", note="one card")
        return
    code, error = launch("benchmarks.gpu_check.pair", 2)
    if code:
        raise RuntimeError(f"exit code {code}: {error['message'] if error else 'see the error above'}")
    found = json.loads((bench.root / RESULT).read_text(encoding="utf-8"))
    yield Row(STEP, found["seconds"] * 1000, "ms", note=f"{found['backend']}; the batch is that of one process")
    yield Row(MERGED, max(found["merges"]), "", "passed" if found["merges"] == [1] * STEPS else "failed")
    yield Row(EQUAL, status="passed" if found["equal"] else "failed")


def main() -> None:
    """One of the processes: train, count the merges, compare the weights; the first one writes the result."""
    world, device = join()
    bench = here()
    config = bench.config(bench.size.edge, train={"micro_batches": 4, "batch_size": 4})
    run = bench.run(f"pair-{world.rank}", config, world, device)
    torch.manual_seed(0)
    learner = new_learner(run.new_model(0), run.config, device, world)
    merges = 0

    def counted(group: dist.ProcessGroup, bucket: Any) -> torch.futures.Future[torch.Tensor]:
        # It is called for each bucket of gradients, so the last ones of a backward pass are counted.
        nonlocal merges
        merges += bucket.is_last()
        return allreduce_hook(group, bucket)

    assert learner.parallel is not None
    # torch reads the annotations of a hook, and takes no text for them.
    learner.parallel.register_comm_hook(dist.group.WORLD, lambda group, bucket: counted(group, bucket))
    order = [place % len(run.data.train.ids) for place in range(4 * STEPS)]
    seen, begun = [], []

    def after_step(_: int) -> None:
        finish(device)
        seen.append(merges)
        begun.append(time.perf_counter())

    xrays = ChestXrays(run.data.train, run.data.labels, order)
    train_epoch(
        learner,
        run.steps(xrays, done=0),
        EpochSteps(lambda _: 0.001, seeds=(0,), after_step=after_step),
        MetricLogger("pair", every=STEPS),
    )
    digest = hashlib.sha256()
    for value in learner.model.state_dict().values():
        digest.update(value.cpu().numpy().tobytes())
    digests = world.gather([digest.hexdigest()])
    if world.is_first:
        each = [after - before for before, after in zip([0, *seen], seen, strict=False)]
        result = {
            "merges": each,
            "equal": len(set(digests)) == 1,
            "seconds": (begun[-1] - begun[0]) / (STEPS - 1),
            "backend": "nccl" if device.type == "cuda" else "gloo",
        }
        (bench.root / RESULT).write_text(json.dumps(result), encoding="utf-8")
    leave(world)


REFUSAL = Part("processes", 0.03, (REFUSED,), measure_refusal)
PAIR = Part("processes", 0.1, (STEP, MERGED, EQUAL), measure_pair)

if __name__ == "__main__":
    main()
