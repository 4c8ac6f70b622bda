"""Real data for the model source's tests: a session root with sample data, real labels, real DICOM files."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from runner_test.samples import SampleData, write_sample_data
from tests.warm import TRAINING, run_warm

PROJECT = Path(__file__).parents[2]
NARROW = Path(__file__).parent / "narrow"

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
"""A config that trains in a few seconds, and learns next to nothing."""

Train = Callable[..., "subprocess.CompletedProcess[str]"]


def changed(config: Mapping[str, Any], **sections: Any) -> dict[str, Any]:
    """A copy of a config in plain values; a section's values are merged, anything else is replaced."""
    result = json.loads(json.dumps(config))
    for name, value in sections.items():
        result[name] = {**result.get(name, {}), **value} if isinstance(value, dict) else value
    return dict(result)


def command(root: Path, config: Mapping[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """The command line and process settings that train as a session would, in `root`/working, a narrow network.

    Unless the config says otherwise, decoded pictures are kept in `root`/pictures, so that nothing stays behind.
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
    """Run the training program to its end, whatever that is."""
    _, settings = command(root, config)
    loaded = ("tests.model_src.narrow.sitecustomize", *TRAINING)
    return run_warm("model_src.train", cwd=settings["cwd"], env=settings["env"], loaded=loaded)


def attach(root: Path, source: Path) -> None:
    """Mount a data set the way Kaggle does, as the default config names it."""
    mount = root / "input" / "datasets" / "seesee"
    mount.mkdir(parents=True)
    (mount / "siim-train-test").symlink_to(source)


@pytest.fixture(scope="module")
def narrow_here() -> Iterator[None]:
    """The network in this process is that of the processes that `command` and `train` start."""
    # Here, since processes that need no torch import this module, too.
    from torchvision.models.resnet import ResNet

    from .narrow.sitecustomize import narrow

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(ResNet, "_make_layer", narrow(ResNet._make_layer))
        yield


@pytest.fixture(scope="session")
def sample_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen labelled pictures, half of them positive, and three to predict; 64 pixels."""
    directory = tmp_path_factory.mktemp("sample") / "data"
    write_sample_data(directory, SampleData(images=16, test_images=3, size=64, positive=0.5, seed=1))
    return directory


@pytest.fixture(scope="session")
def real_labels() -> Path:
    """The competition's own label file: 12 954 rows, 12 047 images, 3 576 masks."""
    # Found, not imported: the package's own dependencies are of no use here.
    package = importlib.util.find_spec("torchxrayvision")
    if package is None or not package.submodule_search_locations:
        pytest.skip("needs the label file in torchxrayvision: pip install --no-deps torchxrayvision")
    return Path(package.submodule_search_locations[0]) / "data" / "siim-pneumothorax-train-rle.csv.gz"


@pytest.fixture(scope="session")
def competition_files() -> Path:
    """The competition's first sample submission, and a competitor's real one; theirs is no licence to ship them."""
    folder = PROJECT.parent / "shared" / "data" / "siim"
    if not (folder / "stage1_sample_submission.csv").is_file():
        pytest.skip("needs the competition's files of the first stage in ../shared/data/siim")
    return folder
