"""What a checkpoint belongs to, and which settings a run that goes on from it may have changed.

Standard library only: `coord continue` asks `refused` before it pushes (`[tool.coord] continue_check`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .config import Config, to_dict

FREE: tuple[str, ...] = (
    "repeat",
    "train.checkpoint_every",
    "train.keep_state_gib",
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

PARTS = "train.micro_batches"


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
    differing = refused(found["config"], expected["config"])
    if found["pictures"] != expected["pictures"]:
        differing.append("the labelled pictures or their folds are not the same")
    if differing:
        raise ValueError(f"{where} belongs to another run and can't be continued: {'; '.join(differing)}")


def refused(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Why a run of one config can't go on from a run of another, both in plain values; empty if it can."""
    return [f"{name} was {was}, is {now}{why_fixed(name, new)}" for name, was, now in differences(old, new)]


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """(name, old value, new value) of the settings that a run can't be continued with.

    More epochs are as good as a pause, unless something depends on how many there are, and so is more patience.
    """
    before, after = flat(old), flat(new)
    if before.get(PARTS) is None or after.get(PARTS) is None:
        # Settled where the run is, as a checkpoint knows it.
        before[PARTS] = after[PARTS] = None
    free = FREE if spanning_epochs(after) else (*FREE, "train.epochs")
    if is_more_patient(before.get("train.patience"), after.get("train.patience")):
        free = (*free, "train.patience")
    return [
        (name, before.get(name, "not there"), after.get(name, "not there"))
        for name in sorted(before.keys() | after.keys())
        if before.get(name, "not there") != after.get(name, "not there")
        and not any(name == each or name.startswith((f"{each}.", f"{each}_")) for each in free)
    ]


def spanning_epochs(values: Mapping[str, Any]) -> str:
    """Which of the settings, under their dotted names, makes every epoch depend on how many there are; or nothing."""
    if values.get("schedule.name") == "cosine":
        return "schedule.name: cosine"
    return "" if values.get("train.negatives_per_positive_end") is None else "train.negatives_per_positive_end"


def why_fixed(name: str, config: Mapping[str, Any]) -> str:
    """For a message that a setting may not differ: why it is so with the number of epochs."""
    return f" ({spanning_epochs(flat(config))} spans all epochs)" if name == "train.epochs" else ""


def is_more_patient(before: Any, after: Any) -> bool:
    """Whether a fold that went on with `train.patience` as it was would have gone on; 0 never stops."""
    return after == 0 or (isinstance(before, int) and 0 < before < after)


def is_trained_on(finished: Mapping[str, Any], expected: Mapping[str, Any]) -> bool:
    """Whether a finished fold has epochs to come: more are wanted, and it doesn't stop early where it is."""
    settings, history = expected["config"]["train"], finished["history"]
    since_best = sum(settings["monitor"] in each["metrics"] for each in history if each["epoch"] > finished["epoch"])
    has_stopped = 0 < settings["patience"] <= since_best
    return bool(history[-1]["epoch"] < settings["epochs"]) and not has_stopped


def check_epochs(done: int, expected: Mapping[str, Any], where: Path) -> None:
    """Raise ValueError when a fold was trained in more epochs than there are to be now."""
    wanted = expected["config"]["train"]["epochs"]
    if done > wanted:
        raise ValueError(f"{where} is of a fold that is in epoch {done} already: train.epochs can't be {wanted}")


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings under their dotted names."""
    result: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            result |= flat(value, f"{prefix}{name}.")
        else:
            result[f"{prefix}{name}"] = value
    return result
