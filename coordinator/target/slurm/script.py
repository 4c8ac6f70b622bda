"""The batch script of a job, as text. It gets the folder of the run, or of the array, as its argument."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Sequence

from coordinator.errors import TargetError
from coordinator.kaggle_rules import normal_shape
from coordinator.kernel import KernelMetadata
from coordinator.project import SlurmSettings
from coordinator.target.cluster import REQUEUE

_BODY = """\
folder=$1
if [ -n "$SLURM_ARRAY_TASK_ID" ]; then
  folder=$(sed -n "$((SLURM_ARRAY_TASK_ID + 1))p" "$1/members")
  exec >>"$folder/job.log" 2>&1
  job=${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID
else
  job=$SLURM_JOB_ID
fi
told=0
tell() {{ told=1; [ -n "$starter" ] && kill -s "$1" "$starter" 2>/dev/null; }}
trap 'tell USR1' USR1
trap 'tell TERM' TERM
{setup}
# Until the starter listens, it ignores what it would not survive.
(trap '' USR1; exec {start} "$folder/starter.py" "$folder" "$job") &
starter=$!
wait "$starter"; code=$?
while [ "$told" = 1 ]; do
  told=0
  wait "$starter"; again=$?
  [ "$again" = 127 ] || code=$again
done
if [ "$code" = {requeue} ]; then scontrol requeue "$job"; fi
exit "$code"
"""


def job_script(settings: SlurmSettings, name: str, options: Sequence[str]) -> str:
    """The script of a job of that name; `options` are sbatch's, beside those of the settings."""
    lines = "".join(f"#SBATCH {option}\n" for option in (*_options(settings, name), *options, *settings.extra))
    setup = "\n".join(settings.setup)
    return f"#!/bin/bash\n{lines}{_BODY.format(setup=setup, start=python_start(settings), requeue=REQUEUE)}"


def _options(settings: SlurmSettings, name: str) -> Iterator[str]:
    yield f"--job-name={name}"
    yield "--dependency=singleton"
    yield "--requeue"
    yield f"--signal=B:USR1@{settings.signal_before}"
    named = {
        "partition": settings.partition,
        "account": settings.account,
        "cpus-per-task": settings.cpus,
        "mem": settings.memory,
    }
    yield from (f"--{option}={shlex.quote(str(value))}" for option, value in named.items() if value)


def request(settings: SlurmSettings, target: str, metadata: KernelMetadata, timeout_seconds: int | None) -> list[str]:
    """What a kernel asks for: its time and its machine. Raises TargetError for a machine that the settings lack."""
    time = str(math.ceil(timeout_seconds / 60)) if timeout_seconds else settings.time
    shape = normal_shape(metadata.data.get("machine_shape"))
    if shape is not None and shape not in settings.shapes:
        raise TargetError(
            f"{target} has no request for the machine {shape}",
            hint=f'Say what it is there: shapes = {{ {shape} = ["--gres=gpu:2"] }} in [tool.coord.targets.{target}]',
        )
    return [*([f"--time={time}"] if time else []), *settings.shapes.get(shape or "cpu", ())]


def python_start(settings: SlurmSettings) -> str:
    """What runs the starter, as a part of a line of the shell: a Python, or one in a container that has the folders."""
    python = shlex.quote(settings.python)
    if not settings.container:
        return python
    image = shlex.quote(settings.container)
    folders = list(dict.fromkeys((settings.root, *settings.sources.values())))
    if settings.container_kind == "pyxis":
        mounts = shlex.quote(",".join(f"{folder}:{folder}" for folder in folders))
        return f"srun --ntasks=1 --container-image={image} --container-mounts={mounts} {python}"
    binds = " ".join(f"--bind {shlex.quote(folder)}" for folder in folders)
    return f"apptainer exec --nv {binds} {image} {python}"
