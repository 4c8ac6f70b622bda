"""The files from which a training continues exactly as if it had not been stopped.

A fold in training has its state in `resume.pth`, and the state before in `resume.previous.pth`. A finished fold leaves
`fold<k>.pth` with its best weights and, if set, the average of its best epochs; in a repeat `fold<k>.seed<s>.pth`. The
state after the last epoch, for a run with more epochs, is in `fold<k>.state.pth`, within `train.keep_state_gib`. None
of them has predictions, because the same weights give the same predictions again. None has random states, because all
random numbers depend on the seed and the position in the run only.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from ..config import Config, to_dict
from ..data.inputs import InputMissing, find_source, tree
from ..files import replacing
from ..identity import check_epochs, check_identity, needs_training
from .best_epochs import Kept, average, averageable
from .checkpoint import DamagedCheckpoint, load_checkpoint, save_checkpoint

LATEST, PREVIOUS, UNNAMED = "resume.pth", "resume.previous.pth", "resume.new.pth"


@dataclass
class FoldProgress:
    """The progress of a fold, and its best epochs. The next step is `step` (from 0) of `epoch` (from 1)."""

    epoch: int = 1
    step: int = 0
    steps: int = 0
    """Number of optimizer steps in all epochs."""
    sums: dict[str, float] = field(default_factory=dict)
    """Sums of the losses over the steps of this epoch."""
    best: list[Kept] = field(default_factory=list)
    """The best evaluated epochs, the best first; empty before the first evaluation."""
    since_best: int = 0
    """Number of evaluations after the best one."""
    history: list[dict[str, Any]] = field(default_factory=list)
    """What was reported for each epoch: epoch, step and metrics."""


def whole_state(progress: FoldProgress, learner: Mapping[str, Any], identity: Mapping[str, Any]) -> dict[str, Any]:
    """The complete state of a fold's training; `learner` is `Learner.state`. Tensors and plain values only."""
    best = [(each.epoch, each.value, each.model) for each in progress.best]
    return {**identity, "progress": {**vars(progress), "best": best}, **learner}


def save_progress(output: Path, state: Mapping[str, Any]) -> None:
    """Write the `whole_state` of the fold in training; the previous one is kept until the next save."""
    latest = output / LATEST
    newer = output / UNNAMED
    save_checkpoint(newer, state)
    if latest.exists():
        latest.replace(output / PREVIOUS)
    newer.replace(latest)


def restored_progress(state: Mapping[str, Any]) -> FoldProgress:
    """The progress in a `whole_state`."""
    return FoldProgress(**{**state["progress"], "best": [Kept(*each) for each in state["progress"]["best"]]})


def save_fold(
    output: Path, progress: FoldProgress, identity: Mapping[str, Any], *, is_finished: bool, is_averaged: bool = False
) -> dict[str, Any]:
    """Write the best weights of a fold so far and the reports of its epochs; returns the content of the file.

    With `is_averaged` it also has the average of the kept epochs, and their numbers.
    """
    best = progress.best[0]
    state = {
        **identity,
        "finished": is_finished,
        "epoch": best.epoch,
        "value": best.value,
        "model": best.model,
        "history": progress.history,
    }
    if is_averaged:
        kept = averageable(progress.best)
        state |= {"average": average([each.model for each in kept]), "averaged": [each.epoch for each in kept]}
    save_checkpoint(output / fold_file(identity["fold"], identity["suffix"]), state)
    return state


def save_last(output: Path, state: Mapping[str, Any], *, gib: float) -> bool:
    """Write the state of a fold after its last epoch, without the best epoch, which is in the file of the fold.

    Returns False, and writes nothing, if all such states together would be larger than `gib`.
    """
    path = output / state_file(state["fold"], state["suffix"])
    state = {**state, "progress": {**state["progress"], "best": state["progress"]["best"][1:]}}
    path.unlink(missing_ok=True)
    if not has_room(output, _bytes(state), gib):
        return False
    save_checkpoint(path, state)
    return True


def has_room(output: Path, size: int, gib: float) -> bool:
    """Whether another state of `size` bytes fits into the limit."""
    return size + sum(each.stat().st_size for each in output.glob("fold*.state.pth")) <= gib * 2**30


def _bytes(value: Any) -> int:
    """The size in bytes of all tensors in a nested value."""
    if isinstance(value, Tensor):
        return value.nbytes
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return sum(map(_bytes, parts))


def fold_file(fold: int, suffix: str) -> str:
    """The name of the file with the best weights of a fold; `suffix` names the repeat."""
    return f"fold{fold}{suffix}.pth"


def state_file(fold: int, suffix: str) -> str:
    """The name of the file with the last state of a finished fold; `suffix` names the repeat."""
    return f"fold{fold}{suffix}.state.pth"


def drop_progress(output: Path) -> None:
    """Remove the state of a fold that is finished."""
    for name in (LATEST, PREVIOUS, UNNAMED):
        (output / name).unlink(missing_ok=True)


def find_earlier(resume_from: str | None, *, root: Path, say: Callable[[str], None]) -> Path | None:
    """The folder with the state of the run to continue; None when there is none.

    Raises InputMissing when the named run is not attached, or has left no state. The working directory may have no
    state: a run that is started again and again in the same folder finds none the first time.
    """
    if resume_from is None:
        return None
    folder = Path(resume_from) if Path(resume_from).is_dir() else find_source(resume_from, root)
    left = [*folder.rglob("resume*.pth"), *folder.rglob("fold*.pth")]
    if left:
        return min(left, key=lambda path: (len(path.parts), path)).parent
    if resume_from == ".":
        say("the working directory has no state to continue from: starting at the beginning")
        return None
    raise InputMissing(
        f"{resume_from} has left no state to continue from: no {LATEST} and no fold<k>.pth in {folder}, which has\n"
        f"{tree(folder)}"
    )


def unfinished_fold(earlier: Path | None, identity: Mapping[str, Any], say: Callable[[str], None]) -> dict[str, Any]:
    """The state of this fold's training that an earlier run left; empty without one.

    Instead of a damaged state the previous one is used. Raises ValueError for a state of another config, and for a fold
    that was finished after fewer epochs and left no last state.
    """
    if earlier is None:
        return {}
    for name in (LATEST, PREVIOUS):
        state = readable(earlier / name, say)
        if state and (state["fold"], state["suffix"]) == (identity["fold"], identity["suffix"]):
            check_identity(state, identity, earlier / name)
            progress = state["progress"]
            check_epochs(progress["epoch"] - (not progress["step"]), identity, earlier / name)
            return state
    return last_state(earlier, identity, say)


def last_state(earlier: Path, identity: Mapping[str, Any], say: Callable[[str], None]) -> dict[str, Any]:
    """The last state of a finished fold; empty if the fold was not finished. Raises ValueError as `unfinished_fold`."""
    path = earlier / fold_file(identity["fold"], identity["suffix"])
    finished = readable(path, say)
    if not finished or not finished["finished"]:
        return {}
    check_identity(finished, identity, path)
    state = readable(earlier / state_file(identity["fold"], identity["suffix"]), say)
    if not state:
        raise no_last_state(path, finished, identity)
    best = (finished["epoch"], finished["value"], finished["model"])
    return {**state, "progress": {**state["progress"], "best": [best, *state["progress"]["best"]]}}


def no_last_state(path: Path, finished: Mapping[str, Any], wanted: Mapping[str, Any]) -> ValueError:
    """The error for a finished fold that should be trained further and has left no last state."""
    done, epochs = finished["history"][-1]["epoch"], wanted["config"]["train"]["epochs"]
    return ValueError(
        f"{path}: the fold was finished after epoch {done} and can't be trained up to epoch {epochs}: "
        f"{state_file(finished['fold'], finished['suffix'])} is not beside it "
        "(train.keep_state_gib keeps it); leave train.epochs as it was, or train again from its weights (model.weights)"
    )


def check_earlier(earlier: Path, config: Config) -> None:
    """Raise ValueError, before the images are read, when a fold of the earlier run cannot be continued.

    Checks the first repeat only, and without the images, which are not known yet.
    """
    wanted = {"config": to_dict(config), "pictures": None}
    for fold in config.folds.run or range(config.folds.n):
        path = earlier / fold_file(fold, "")
        finished = readable(path, lambda _: None)
        if finished and finished["finished"]:
            check_identity({**finished, "pictures": None}, wanted, path)
            check_epochs(finished["history"][-1]["epoch"], wanted, path)
            has_state = (earlier / state_file(fold, "")).exists() or _is_latest(earlier, fold)
            if needs_training(finished, wanted) and not has_state:
                raise no_last_state(path, finished, wanted)


def _is_latest(earlier: Path, fold: int) -> bool:
    """Whether `resume.pth` is a state of this fold."""
    latest = readable(earlier / LATEST, lambda _: None)
    return bool(latest) and (latest["fold"], latest["suffix"]) == (fold, "")


def finished_fold(
    earlier: Path | None, identity: Mapping[str, Any], output: Path, say: Callable[[str], None]
) -> dict[str, Any]:
    """The content of the file of this fold if an earlier run finished it; its files are copied to the output.

    Empty if it did not, or if this run trains the fold further. Raises ValueError for a fold of another config.
    """
    if earlier is None:
        return {}
    path = earlier / fold_file(identity["fold"], identity["suffix"])
    state = readable(path, say)
    if not state or not state["finished"]:
        return {}
    check_identity(state, identity, path)
    check_epochs(state["history"][-1]["epoch"], identity, path)
    if needs_training(state, identity):
        return {}
    if earlier.resolve() != output.resolve():
        copy_atomically(path, output)
        last = earlier / state_file(identity["fold"], identity["suffix"])
        if last.exists() and has_room(output, last.stat().st_size, identity["config"]["train"]["keep_state_gib"]):
            copy_atomically(last, output)
    return state


def readable(path: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """A checkpoint; empty if the file is missing or damaged. `say` is called about a damaged one."""
    if not path.exists():
        return {}
    try:
        return load_checkpoint(path)
    except DamagedCheckpoint as error:
        say(f"{error}: ignored")
        return {}


def carry_over(earlier: Path | None, output: Path) -> None:
    """Copy the files of the earlier run that this run has not replaced, so that a third run can continue this one."""
    for path in (*earlier.glob("fold*.pth"), earlier / LATEST, earlier / PREVIOUS) if earlier else ():
        if path.exists() and not (output / path.name).exists():
            copy_atomically(path, output)


def copy_atomically(path: Path, folder: Path) -> None:
    """Copy a file atomically."""
    with path.open("rb") as source, replacing(folder / path.name, is_durable=True) as file:
        shutil.copyfileobj(source, file, 1 << 20)
