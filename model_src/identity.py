"""The identity of a checkpoint, and which settings may differ in a run that continues from it.

Standard library only: `coord continue` calls `refused` before it pushes (`[tool.coord] continue_check`).
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
    "train.deterministic",
    "data.num_workers",
    "model.weights_source",
    "data.cache",
    "folds.run",
    "folds.placeholder_share",  # the digest of the images says whether the folds are the same
    "predict.choose",
    "predict.weights",
    "predict.folds",
    "evaluate",
)
"""Settings that may differ between a run and the one that it continues, because they do not change the weights.

Each entry is a setting, a section with all of its settings, or the beginning of names before an underscore.
"""

PARTS = "train.micro_batches"


def identify(
    config: Config, fold: int, pictures: Sequence[tuple[str, bool, Sequence[str]]], *, suffix: str = ""
) -> dict[str, Any]:
    """The identity of a checkpoint: its fold, its repeat, its config, and a digest of its images.

    `pictures` are (ImageId, whether it is trained on, encoded masks) in a fixed order; `suffix` names the repeat.
    """
    digest = hashlib.sha256(repr([(id_, inside, list(masks)) for id_, inside, masks in pictures]).encode())
    return {"fold": fold, "suffix": suffix, "config": to_dict(config), "pictures": digest.hexdigest()}


def check_identity(found: Mapping[str, Any], expected: Mapping[str, Any], where: Path) -> None:
    """Raise ValueError, which names the differences, when a checkpoint has another identity."""
    differing = refused(found["config"], expected["config"])
    if found["pictures"] != expected["pictures"]:
        differing.append("the labelled images or their folds are not the same")
    if differing:
        raise ValueError(f"{where} belongs to another run and can't be continued: {'; '.join(differing)}")


def refused(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Why a run with the config `new` cannot continue a run with the config `old`; empty if it can."""
    return [f"{name} was {was}, is {now}{why_fixed(name, new)}" for name, was, now in differences(old, new)]


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """(name, old value, new value) of the settings that differ and prevent that a run is continued.

    More epochs are allowed, unless another setting makes every epoch depend on their number; so is more patience.
    """
    # A setting that the earlier run did not know yet had no effect then, as its default has none.
    before, after = flat(to_dict(Config())) | flat(old), flat(new)
    if before.get(PARTS) is None or after.get(PARTS) is None:
        # null is replaced by the number of processes only when the run starts.
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
    """The setting that makes every epoch depend on the number of epochs; empty if there is none."""
    if values.get("schedule.name") == "cosine":
        return "schedule.name: cosine"
    return "" if values.get("train.negatives_per_positive_end") is None else "train.negatives_per_positive_end"


def why_fixed(name: str, config: Mapping[str, Any]) -> str:
    """The end of a message about a setting that differs: why the number of epochs must not change."""
    return f" ({spanning_epochs(flat(config))} spans all epochs)" if name == "train.epochs" else ""


def is_more_patient(before: Any, after: Any) -> bool:
    """Whether a fold that did not stop with the patience `before` does not stop with `after` either; 0 never stops."""
    return after == 0 or (isinstance(before, int) and 0 < before < after)


def needs_training(finished: Mapping[str, Any], expected: Mapping[str, Any]) -> bool:
    """Whether a finished fold is trained further: more epochs are wanted, and it does not stop early."""
    settings, history = expected["config"]["train"], finished["history"]
    since_best = sum(settings["monitor"] in each["metrics"] for each in history if each["epoch"] > finished["epoch"])
    has_stopped = 0 < settings["patience"] <= since_best
    return bool(history[-1]["epoch"] < settings["epochs"]) and not has_stopped


def check_epochs(done: int, expected: Mapping[str, Any], where: Path) -> None:
    """Raise ValueError when a fold was trained for more epochs than `train.epochs`."""
    wanted = expected["config"]["train"]["epochs"]
    if done > wanted:
        raise ValueError(f"{where} is of a fold that is in epoch {done} already: train.epochs can't be {wanted}")


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by their dotted names."""
    result: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            result |= flat(value, f"{prefix}{name}.")
        else:
            result[f"{prefix}{name}"] = value
    return result
