"""Where a fold's training is, on disk: enough to go on as if nothing had happened.

A fold in training has its state in `resume.pth`, with the one before as `resume.previous.pth`; a finished fold leaves
`fold<k>.pth`, its best weights and, if asked for, the average of its best epochs; in a repeat `fold<k>.seed<s>.pth`.
The optimizer's state is in the former alone: nothing goes on from the best epoch, and it would double what a run
leaves. Predictions are in neither: the same weights give the same ones again. Nor are random states: whatever is random
follows from the seed and its place in the run.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .best_epochs import Kept, average, averageable
from .checkpoint import TornCheckpoint, load_checkpoint, save_checkpoint
from .config import Config, to_dict
from .inputs import InputMissing, find_source, tree

LATEST, PREVIOUS, UNNAMED = "resume.pth", "resume.previous.pth", "resume.new.pth"

FREE: tuple[str, ...] = (
    "repeat",
    "train.checkpoint_every",
    "train.time_limit_seconds",
    "train.stop_after_steps",
    "train.resume_from",
    "train.processes",
    "train.log_every",
    "data.num_workers",
    "data.cache",
    "folds.run",
    "predict.choose",
    "predict.weights",
    "predict.folds",
    "evaluate",
)
"""What may differ between a run and the one that it continues: settings that change no weight.

Each stands for itself, for a section's all, and for those that begin with it and an underscore.
"""


@dataclass
class Progress:
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


def save_progress(
    output: Path,
    progress: Progress,
    *,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    identity: Mapping[str, Any],
) -> None:
    """Write the state of the fold in training; the one before is kept until the next."""
    state = {
        **identity,
        # A checkpoint holds plain values.
        "progress": {**vars(progress), "best": [(each.epoch, each.value, each.model) for each in progress.best]},
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scaler": scaler.state_dict(),
    }
    latest = output / LATEST
    newer = output / UNNAMED
    save_checkpoint(newer, state)
    if latest.exists():
        latest.replace(output / PREVIOUS)
    newer.replace(latest)


def restore_progress(
    state: Mapping[str, Any],
    *,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
) -> Progress:
    """Put model, optimizer and scaler back to what they were, and say where that was."""
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    scaler.load_state_dict(state["scaler"])
    return Progress(**{**state["progress"], "best": [Kept(*each) for each in state["progress"]["best"]]})


def save_fold(
    output: Path, progress: Progress, identity: Mapping[str, Any], *, is_finished: bool, is_averaged: bool = False
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


def fold_file(fold: int, suffix: str) -> str:
    """The name of the file with a fold's best weights; `suffix` is the repeat's."""
    return f"fold{fold}{suffix}.pth"


def drop_progress(output: Path) -> None:
    """Remove the state of a fold that is finished."""
    for name in (LATEST, PREVIOUS, UNNAMED):
        (output / name).unlink(missing_ok=True)


def identify(
    config: Config, fold: int, pictures: Sequence[tuple[str, bool, Sequence[str]]], *, suffix: str = ""
) -> dict[str, Any]:
    """What a checkpoint belongs to: the fold, the repeat, the config and a digest of its pictures.

    `pictures` are (ImageId, whether it is trained on, encoded masks) in their order; `suffix` is the repeat's.
    """
    digest = hashlib.sha256(repr([(id_, inside, list(masks)) for id_, inside, masks in pictures]).encode())
    return {"fold": fold, "suffix": suffix, "config": to_dict(config), "pictures": digest.hexdigest()}


def check_identity(found: Mapping[str, Any], expected: Mapping[str, Any], where: Path) -> None:
    """Raise ValueError that names what differs, when a checkpoint belongs to something else."""
    differing = [f"{name} was {old}, is {new}" for name, old, new in differences(found["config"], expected["config"])]
    if found["pictures"] != expected["pictures"]:
        differing.append("the labelled pictures or their folds are not the same")
    if differing:
        raise ValueError(f"{where} belongs to another run and can't be continued: {'; '.join(differing)}")


def check_epochs(found: Mapping[str, Any], expected: Mapping[str, Any], where: Path) -> None:
    """Raise ValueError when a finished fold would have to be trained on: its optimizer's state was not kept.

    A fold that had stopped by itself, because it got no better, would stop there again.
    """
    before, now = found["config"]["train"]["epochs"], expected["config"]["train"]["epochs"]
    if now > before == found["history"][-1]["epoch"]:
        raise ValueError(
            f"{where} is of a fold that was finished after train.epochs = {before}, and can't be trained on to {now}; "
            "keep that number, or train anew from its weights (model.weights)"
        )


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """(name, old value, new value) of the settings that a run can't be continued with.

    More epochs are as good as a pause, unless something depends on how many there are; a fold that is finished has no
    more, though: see `check_epochs`.
    """
    before, after = flat(old), flat(new)
    free = FREE
    if after.get("schedule.name") != "cosine" and after.get("train.negatives_per_positive_end") is None:
        free = (*FREE, "train.epochs")
    return [
        (name, before.get(name, "not there"), after.get(name, "not there"))
        for name in sorted(before.keys() | after.keys())
        if before.get(name, "not there") != after.get(name, "not there")
        and not any(name == each or name.startswith((f"{each}.", f"{each}_")) for each in free)
    ]


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings under their dotted names."""
    result: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            result |= flat(value, f"{prefix}{name}.")
        else:
            result[f"{prefix}{name}"] = value
    return result


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

    A state that is damaged is passed over for the one before it. Raises ValueError for one of another config.
    """
    for name in (LATEST, PREVIOUS) if earlier else ():
        assert earlier
        path = earlier / name
        if not path.exists():
            continue
        try:
            state = load_checkpoint(path)
        except TornCheckpoint as error:
            say(f"{error}: passed over")
            continue
        if (state["fold"], state["suffix"]) == (identity["fold"], identity["suffix"]):
            check_identity(state, identity, path)
            return state
    return {}


def finished_fold(
    earlier: Path | None, identity: Mapping[str, Any], output: Path, say: Callable[[str], None]
) -> dict[str, Any]:
    """What an earlier run left of this fold if it finished it, or nothing; the file is copied to the output."""
    path = (earlier or output) / fold_file(identity["fold"], identity["suffix"])
    if earlier is None or not path.exists():
        return {}
    try:
        state = load_checkpoint(path)
    except TornCheckpoint as error:
        say(f"{error}: passed over")
        return {}
    if not state["finished"]:
        return {}
    check_identity(state, identity, path)
    check_epochs(state, identity, path)
    if earlier.resolve() != output.resolve():
        copy_whole(path, output)
    return state


def carry_over(earlier: Path | None, output: Path) -> None:
    """Copy what an earlier run left to continue from and this one did not get to, so that a third can continue it."""
    for path in (*earlier.glob("fold*.pth"), earlier / LATEST, earlier / PREVIOUS) if earlier else ():
        if path.exists() and not (output / path.name).exists():
            copy_whole(path, output)


def copy_whole(path: Path, folder: Path) -> None:
    """Copy a file, which is in the folder completely or not at all."""
    unfinished = folder / f"{path.name}.tmp"
    shutil.copyfile(path, unfinished)
    unfinished.replace(folder / path.name)
