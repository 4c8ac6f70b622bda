"""A session root, as a kernel finds it, and the training program as a process in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from tests.warm import TRAINING, Started, run_warm, started_warm

PROJECT = Path(__file__).parents[2]
NARROW = Path(__file__).parent / "narrow"
PROGRAM = ("tests.model_src.launched", "model_src.train")
LOADED = ("tests.model_src.narrow.sitecustomize", *TRAINING)

TINY: dict[str, Any] = {
    "seed": 3,
    "data": {"image_size": 64, "num_workers": 0},
    "folds": {"n": 2},
    "model": {
        "backbone": "resnet18",
        "channels": 16,
        "box_features": 32,
        "anchor_sizes": [8, 16, 32, 48, 64],
        "max_detections": 3,
    },
    "proposals": {
        "pre_nms_train": 30,
        "pre_nms_test": 30,
        "post_nms_train": 30,
        "post_nms_test": 10,
        "rpn_batch": 16,
        "roi_batch": 16,
    },
    "optim": {"lr": 0.005, "clip_norm": 5.0},
    "train": {"epochs": 2, "batch_size": 2, "patience": 0, "log_every": 2},
    "predict": {"score_threshold": 0.1},
}
"""A config that trains in a few seconds and hardly learns."""


def make_narrow(project: Path, part: int = 8) -> None:
    """Gives a project's copy of the model source networks with 1/part of the channels, as narrow/sitecustomize.py does.

    It looks for unreachable objects as rarely as tests/guard says, too: half of the time in which it loads torch. For
    sessions of a local Kaggle, which take no PYTHONPATH from the tests.
    """
    with (project / "model_src" / "__init__.py").open("a", encoding="utf-8") as file:
        file.write("\nimport gc\n\ngc.set_threshold(200_000)\n")
    with (project / "model_src" / "network" / "build.py").open("a", encoding="utf-8") as file:
        file.write(
            "\n\nfrom torchvision.models.resnet import ResNet as _ResNet\n\n_wide = _ResNet._make_layer\n"
            "_ResNet._make_layer = lambda self, block, planes, *more, **named: "
            f"_wide(self, block, planes // {part}, *more, **named)\n"
        )


def changed(config: Mapping[str, Any], **sections: Any) -> dict[str, Any]:
    """A copy of a config in plain values; a section's values are merged, anything else is replaced."""
    result = json.loads(json.dumps(config))
    for name, value in sections.items():
        result[name] = {**result.get(name, {}), **value} if isinstance(value, dict) else value
    return dict(result)


def command(root: Path, config: Mapping[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """The command line and process settings that train as a session would, in `root`/working, a narrow network.

    Unless the config says otherwise, decoded images are kept in `root`/pictures, so that nothing stays behind.
    """
    working = root / "working"
    working.mkdir(parents=True, exist_ok=True)
    data = {"cache_dir": str(root / "pictures"), **config.get("data", {})}
    (root / "config.json").write_text(json.dumps(changed(config, data=data)))
    environment = {
        **os.environ,
        "COORD_KAGGLE_ROOT": str(root),
        "COORD_CONFIG": str(root / "config.json"),
        "COORD_EXPERIMENT": "tiny",
        "COORD_RUN_ID": "run-1",
        "COORD_BUNDLE_DIGEST": "sha256:0123",
        "PYTHONPATH": os.pathsep.join([str(NARROW), str(PROJECT)]),
        "KAGGLE_KERNEL_RUN_TYPE": "Batch",
    }
    return [sys.executable, "-m", "model_src.train"], {"cwd": working, "env": environment, "text": True}


def train(root: Path, config: Mapping[str, Any]) -> subprocess.CompletedProcess[str]:
    """Run the training program to its end."""
    _, settings = command(root, config)
    return run_warm(*PROGRAM, cwd=settings["cwd"], env=settings["env"], loaded=LOADED)


def started(root: Path, config: Mapping[str, Any]) -> AbstractContextManager[Started]:
    """Starts the training program; after the block it has ended."""
    _, settings = command(root, config)
    return started_warm(*PROGRAM, cwd=settings["cwd"], env=settings["env"], loaded=LOADED)


def attach(root: Path, source: Path) -> None:
    """Mount a data set the way Kaggle does, as the default config names it."""
    mount = root / "input" / "datasets" / "seesee"
    mount.mkdir(parents=True)
    (mount / "siim-train-test").symlink_to(source)
