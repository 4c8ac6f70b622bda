"""Where a fold's training is, on disk: enough to go on as if nothing had happened.

A fold in training has its state in `resume.pth`, with the one before as `resume.previous.pth`. A finished fold leaves
`fold<k>.pth`, its best weights and, if asked for, the average of its best epochs; in a repeat `fold<k>.seed<s>.pth`.
For a run of more epochs the state after the last one is in `fold<k>.state.pth`, as far as `train.keep_state_gib` goes.
Predictions are in none of them: the same weights give the same ones again. Nor are random states: whatever is random
follows from the seed and its place in the run.
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
from ..identity import check_epochs, check_identity, is_trained_on
from .best_epochs import Kept, average, averageable
from .checkpoint import TornCheckpoint, load_checkpoint, save_checkpoint

LATEST, PREVIOUS, UNNAMED = "resume.pth", "resume.previous.pth", "resume.new.pth"


@dataclass
class FoldProgress:
    """How far a fold is, and its best so far. The next step to do is `step` (from 0) of `epoch` (from 1)."""

    epoch: int = 1
    step: int = 0
    steps: int = 0
    """Optimizer steps of all epochs."""
    sums: dict[str, float] = field(default_factory=dict)
    """Of the losses over the steps of this epoch."""
    best: list[Kept] = field(default_factory=list)
    """The best evaluated epochs, the best first; empty = none was evaluated yet."""
    since_best: int = 0
    """Evaluations after the best one."""
    history: list[dict[str, Any]] = field(default_factory=list)
    """What was reported of each epoch: epoch, step and metrics."""


def whole_state(progress: FoldProgress, learner: Mapping[str, Any], identity: Mapping[str, Any]) -> dict[str, Any]:
    """All that a fold's training needs to go on; `learner` is `Learner.state`. Tensors and plain values only."""
    best = [(each.epoch, each.value, each.model) for each in progress.best]
    return {**identity, "progress": {**vars(progress), "best": best}, **learner}


def save_progress(output: Path, state: Mapping[str, Any]) -> None:
    """Write the `whole_state` of the fold in training; the one before is kept until the next."""
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
    """Write the fold's best weights so far, and what was reported of its epochs; returns what was written.

    With `is_averaged` the average of the kept epochs is in it, too, and which these are.
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
    """Write the state of a fold after its last epoch, without the best epoch, which is in the fold's file.

    False if there is no room for it: all of them together may take so many GiB.
    """
    path = output / state_file(state["fold"], state["suffix"])
    state = {**state, "progress": {**state["progress"], "best": state["progress"]["best"][1:]}}
    path.unlink(missing_ok=True)
    if not has_room(output, _bytes(state), gib):
        return False
    save_checkpoint(path, state)
    return True


def has_room(output: Path, size: int, gib: float) -> bool:
    """Whether another state of so many bytes fits to those that are there."""
    return size + sum(each.stat().st_size for each in output.glob("fold*.state.pth")) <= gib * 2**30


def _bytes(value: Any) -> int:
    """Of all tensors inside."""
    if isinstance(value, Tensor):
        return value.nbytes
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return sum(map(_bytes, parts))


def fold_file(fold: int, suffix: str) -> str:
    """The name of the file with a fold's best weights; `suffix` is the repeat's."""
    return f"fold{fold}{suffix}.pth"


def state_file(fold: int, suffix: str) -> str:
    """The name of the file with a finished fold's last state; `suffix` is the repeat's."""
    return f"fold{fold}{suffix}.state.pth"


def drop_progress(output: Path) -> None:
    """Remove the state of a fold that is finished."""
    for name in (LATEST, PREVIOUS, UNNAMED):
        (output / name).unlink(missing_ok=True)


def find_earlier(resume_from: str | None, *, root: Path, say: Callable[[str], None]) -> Path | None:
    """The folder with the state of the run to continue, or None when there is none to continue.

    Raises InputMissing when an earlier run is named that is not attached or left nothing to continue from. The
    working directory may be empty: a run that is started again and again finds nothing the first time.
    """
    if resume_from is None:
        return None
    folder = Path(resume_from) if Path(resume_from).is_dir() else find_source(resume_from, root)
    left = [*folder.rglob("resume*.pth"), *folder.rglob("fold*.pth")]
    if left:
        return min(left, key=lambda path: (len(path.parts), path)).parent
    if resume_from == ".":
        say("nothing to continue from in the working directory: starting at the beginning")
        return None
    raise InputMissing(
        f"{resume_from} left nothing to continue from: no {LATEST} and no fold<k>.pth in {folder}, which holds\n"
        f"{tree(folder)}"
    )


def unfinished_fold(earlier: Path | None, identity: Mapping[str, Any], say: Callable[[str], None]) -> dict[str, Any]:
    """The state of this fold's training that an earlier run left, or nothing.

    A state that is damaged is passed over for the one before it. Raises ValueError for one of another config, and where
    a fold was finished after fewer epochs and its last state was not kept.
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
    """The state that a finished fold was left in, or nothing if there is no such fold; see `unfinished_fold`."""
    path = earlier / fold_file(identity["fold"], identity["suffix"])
    finished = readable(path, say)
    if not finished or not finished["finished"]:
        return {}
    check_identity(finished, identity, path)
    state = readable(earlier / state_file(identity["fold"], identity["suffix"]), say)
    if not state:
        raise no_state(path, finished, identity)
    best = (finished["epoch"], finished["value"], finished["model"])
    return {**state, "progress": {**state["progress"], "best": [best, *state["progress"]["best"]]}}


def no_state(path: Path, finished: Mapping[str, Any], wanted: Mapping[str, Any]) -> ValueError:
    """What is wrong where a finished fold has to be trained on without its last state."""
    done, epochs = finished["history"][-1]["epoch"], wanted["config"]["train"]["epochs"]
    return ValueError(
        f"{path} is of a fold that was finished after epoch {done}, and can't be trained on to {epochs}: "
        f"{state_file(finished['fold'], finished['suffix'])} is not beside it "
        "(train.keep_state_gib keeps it); leave train.epochs as it was, or train anew from its weights (model.weights)"
    )


def check_earlier(earlier: Path, config: Config) -> None:
    """Raise ValueError for a fold of the earlier run that this one could not go on from, before anything is read.

    Of the first repeat, and but for its pictures, which are not known yet.
    """
    wanted = {"config": to_dict(config), "pictures": None}
    for fold in config.folds.run or range(config.folds.n):
        path = earlier / fold_file(fold, "")
        finished = readable(path, lambda _: None)
        if finished and finished["finished"]:
            check_identity({**finished, "pictures": None}, wanted, path)
            check_epochs(finished["history"][-1]["epoch"], wanted, path)
            has_state = (earlier / state_file(fold, "")).exists() or _is_latest(earlier, fold)
            if is_trained_on(finished, wanted) and not has_state:
                raise no_state(path, finished, wanted)


def _is_latest(earlier: Path, fold: int) -> bool:
    """Whether the state of a fold in training is this one's."""
    latest = readable(earlier / LATEST, lambda _: None)
    return bool(latest) and (latest["fold"], latest["suffix"]) == (fold, "")


def finished_fold(
    earlier: Path | None, identity: Mapping[str, Any], output: Path, say: Callable[[str], None]
) -> dict[str, Any]:
    """What an earlier run left of this fold if it finished it, or nothing; its files are copied to the output.

    Nothing, too, if this run trains the fold on. Raises ValueError for a fold of another config.
    """
    if earlier is None:
        return {}
    path = earlier / fold_file(identity["fold"], identity["suffix"])
    state = readable(path, say)
    if not state or not state["finished"]:
        return {}
    check_identity(state, identity, path)
    check_epochs(state["history"][-1]["epoch"], identity, path)
    if is_trained_on(state, identity):
        return {}
    if earlier.resolve() != output.resolve():
        copy_whole(path, output)
        last = earlier / state_file(identity["fold"], identity["suffix"])
        if last.exists() and has_room(output, last.stat().st_size, identity["config"]["train"]["keep_state_gib"]):
            copy_whole(last, output)
    return state


def readable(path: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """A checkpoint; nothing if there is none, or if it is damaged, which is said."""
    if not path.exists():
        return {}
    try:
        return load_checkpoint(path)
    except TornCheckpoint as error:
        say(f"{error}: passed over")
        return {}


def carry_over(earlier: Path | None, output: Path) -> None:
    """Copy what an earlier run left to continue from and this one did not get to, so that a third can continue it."""
    for path in (*earlier.glob("fold*.pth"), earlier / LATEST, earlier / PREVIOUS) if earlier else ():
        if path.exists() and not (output / path.name).exists():
            copy_whole(path, output)


def copy_whole(path: Path, folder: Path) -> None:
    """Copy a file, which is in the folder completely or not at all."""
    with path.open("rb") as source, replacing(folder / path.name, is_durable=True) as file:
        shutil.copyfileobj(source, file, 1 << 20)
