"""The training program: cross-validate, predict out of fold, predict the test pictures, report.

    python -m model_src.train

Reads the config that `COORD_CONFIG` names (else the defaults), the data below `COORD_KAGGLE_ROOT` (else `/kaggle`),
and writes into the working directory: metrics.jsonl and metrics.json as it goes, fold<k>.pth, oof.csv and
submission.csv. The same seed on the same machine gives the same numbers; a fold's don't depend on which others run.
"""

from __future__ import annotations

import functools
import os
import platform
import signal
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
import torchvision
from torch import nn

from .checkpoint import load_checkpoint
from .config import Config, load, to_dict
from .data import Data, load_data
from .dataset import ChestXrays
from .fold import batches, train_fold
from .folds import assign_folds
from .inputs import find_file, kaggle_root
from .labels import NO_MASK, encode
from .model import build_model
from .outputs import summarize, write_oof, write_submission
from .predict import predict
from .report import Report
from .score import Scored, choose_presence, mean_dice

OUTPUT = Path()
"""A kernel's output is whatever lies in its working directory."""


def main() -> int:
    """Run the experiment that the environment names."""
    # A session that is asked to end should leave its report behind, like one that fails.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with Report(
        OUTPUT,
        experiment=os.environ.get("COORD_EXPERIMENT", "unbundled"),
        run_id=os.environ.get("COORD_RUN_ID", "unbundled"),
        digest=os.environ.get("COORD_BUNDLE_DIGEST", "unbundled"),
    ) as report:
        path = os.environ.get("COORD_CONFIG")
        run(load(Path(path) if path else None), report)
    return 0


def run(config: Config, report: Report) -> None:
    """The whole experiment."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    report.update(config=to_dict(config), versions=versions(), devices=[device_name(device)])
    weights = find_file(config.model.weights, kaggle_root()) if config.model.weights else None
    new_model = functools.partial(
        build_model, config.model, config.proposals, image_size=config.data.image_size, weights=weights
    )
    with tempfile.TemporaryDirectory() as scratch:
        with report.stage("data"):
            data = load_data(config.data, root=kaggle_root(), scratch=Path(scratch), say=report.message)
        report.update(counts=data.counts)

        ids = data.train.ids
        fold_of = assign_folds({id_: bool(data.labels[id_]) for id_ in ids}, n=config.folds.n, seed=config.seed)
        folds = config.folds.run or range(config.folds.n)
        out_of_fold: list[Scored] = []
        for fold in folds:
            inside = [index for index, id_ in enumerate(ids) if fold_of[id_] != fold]
            outside = [index for index, id_ in enumerate(ids) if fold_of[id_] == fold]
            scored = train_fold(config, data, fold, inside, outside, new_model, device, report, OUTPUT)
            out_of_fold += scored
            write_oof(OUTPUT / "oof.csv", out_of_fold)
            summarize(config, out_of_fold, report)
            report.fold(fold=fold, folds=len(folds), metrics={"cv/dice": mean_dice(scored)})

        with report.stage("predict"):
            presence = choose_presence(out_of_fold)[0] if config.predict.choose_presence else 0.0
            models = []
            for fold in folds:
                model = new_model()
                model.load_state_dict(load_checkpoint(OUTPUT / f"fold{fold}.pth")["model"])
                models.append(model.to(device))
            write_submission(OUTPUT / "submission.csv", predict_test(config, data, models, presence, device))


def predict_test(
    config: Config, data: Data, models: Sequence[nn.Module], presence: float, device: torch.device
) -> Iterable[tuple[str, str]]:
    """ImageId and encoded mask of every test picture: the folds' mean, blank below the score for presence."""
    loader = batches(config, ChestXrays(data.test, {}, range(len(data.test.ids))), device)
    for each in predict(models, loader, score_threshold=config.predict.score_threshold, device=device):
        mask = each.mask(data.test.shapes[each.index], config.predict.mask_threshold)
        yield data.test.ids[each.index], encode(mask) if each.top_score >= presence else NO_MASK


def versions() -> dict[str, str | None]:
    """Of what the numbers depend on."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "numpy": np.__version__,
        "image": os.environ.get("KAGGLE_DOCKER_IMAGE"),
    }


def device_name(device: torch.device) -> str:
    """The graphics card's name, or "cpu"."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


if __name__ == "__main__":
    sys.exit(main())
