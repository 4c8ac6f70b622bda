"""The data and the config of all parts, and a run of the program with them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from model_src.config import Config, from_dict
from model_src.data.dataset import Batch, ChestXrays
from model_src.output import Report
from model_src.train import prepare
from model_src.training import SINGLE_PROCESS, Run, Stop, World
from runner_test.samples import SampleData, write_sample_data

ROOT = Path(__file__).parents[2]
SOURCE = "gpu-check/drawn"


@dataclass(frozen=True)
class Size:
    """How large everything is."""

    edge: int = 1024
    """Of the pictures of a training step and of the loader, in pixels."""
    trained: int = 512
    """Of those of whole trainings."""
    images: int = 48
    batch: int = 4
    steps: int = 2
    """Of one measurement."""
    repetitions: int = 9
    """Of each measurement, if there is time."""
    loaded: int = 1024
    """Images that the loader reads for one figure."""
    sections: Mapping[str, Any] = field(default_factory=dict)
    """What differs from the default config."""


KEPT = {"pre_nms_train": 20, "pre_nms_test": 20, "post_nms_train": 20, "post_nms_test": 5}
FEW = {**KEPT, "rpn_batch": 8, "roi_batch": 8}
SMALL = {
    "backbone": "resnet18",
    "channels": 16,
    "box_features": 32,
    "anchor_sizes": [8, 16, 32, 48, 64],
    "max_detections": 2,
}
SIZES = {
    "full": Size(),
    "tiny": Size(
        edge=64,
        trained=64,
        images=8,
        batch=2,
        steps=1,
        repetitions=0,
        loaded=8,
        sections={"model": SMALL, "proposals": FEW},
    ),
}


@dataclass(frozen=True)
class Bench:
    """Where the parts measure, and how much."""

    root: Path
    """A session's root, with drawn pictures as its data set."""
    device: str
    """cuda or cpu."""
    size: Size

    def draw(self) -> None:
        """Draw the pictures, half of them with a mask, and leave for other processes what they need to know."""
        source = self.root / "input" / "datasets" / SOURCE
        source.parent.mkdir(parents=True)
        write_sample_data(source, SampleData(images=self.size.images, test_images=0, size=self.size.edge, positive=0.5))
        values = {**asdict(self), "root": str(self.root)}
        (self.root / "bench.json").write_text(json.dumps(values), encoding="utf-8")

    def enter(self) -> None:
        """Make this process, and those that it starts, find the pictures and the device."""
        os.environ["COORD_KAGGLE_ROOT"] = str(self.root)
        os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        if self.device == "cpu":
            os.environ["CUDA_VISIBLE_DEVICES"] = ""

    def config(self, edge: int, **sections: Mapping[str, Any]) -> Config:
        """The config of a run: one epoch of one of two folds, unless the sections say otherwise."""
        values: dict[str, Mapping[str, Any]] = {
            "data": {"source": SOURCE, "image_size": edge, "num_workers": 0, "cache_dir": str(self.root / "cache")},
            "folds": {"n": 2, "run": [0]},
            "train": {"epochs": 1, "batch_size": self.size.batch, "patience": 0, "keep_state_gib": 0},
            "optim": {"lr": 0.005, "clip_norm": 5.0},
            "predict": {"score_threshold": 0.1},
        }
        for changes in (self.size.sections, sections):
            for name, section in changes.items():
                values[name] = {**values.get(name, {}), **section}
        return from_dict(values)

    def run(self, name: str, config: Config, world: World = SINGLE_PROCESS, device: torch.device | None = None) -> Run:
        """A run of the program that is ready to train; its output is in the folder `name`."""
        output = self.root / name
        output.mkdir()
        report = Report(output, experiment="gpu-check", run_id=name, digest="none")
        return prepare(config, report, Stop(), output, world, device or self.card)

    @property
    def card(self) -> torch.device:
        """The device of a single process."""
        return torch.device("cuda", 0) if self.device == "cuda" else torch.device("cpu")


def here() -> Bench:
    """The bench of the process that started this one."""
    values = json.loads(Path(os.environ["COORD_KAGGLE_ROOT"], "bench.json").read_text(encoding="utf-8"))
    return Bench(Path(values["root"]), values["device"], Size(**values["size"]))


def positive_batches(run: Run, count: int) -> list[Batch]:
    """Batches of images with a mask, some of them several times if there are not enough."""
    data, size = run.data, run.config.train.batch_size
    positives = [index for index in range(len(data.train.ids)) if data.is_positive(index)]
    order = [positives[place % len(positives)] for place in range(count * size)]
    return list(run.batches(ChestXrays(data.train, data.labels, order)))
