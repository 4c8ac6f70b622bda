"""Trains nothing, reports everything."""

import json
import os
import time
from importlib import resources
from pathlib import Path

from . import engine

config = json.loads(Path(os.environ["COORD_CONFIG"]).read_text(encoding="utf-8"))
summary = {
    "schema": 1,
    "status": "running",
    "error": None,
    "experiment": os.environ["COORD_EXPERIMENT"],
    "run_id": os.environ["COORD_RUN_ID"],
    "digest": os.environ["COORD_BUNDLE_DIGEST"],
    "seconds": 0.0,
    "primary": {"name": "cv/dice", "mode": "max", "value": None},
    "metrics": [],
    "baselines": [{"name": "all-empty", "metric": "cv/dice", "value": 0.5}],
    "stages": {"train": 0.0},
    "config": config,
}


def write() -> None:
    Path("metrics.json.new").write_text(json.dumps(summary), encoding="utf-8")
    Path("metrics.json.new").replace("metrics.json")


def event(**values: object) -> None:
    line = json.dumps(values)
    with Path("metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    print("COORD " + line, flush=True)


def main() -> None:
    write()
    print(resources.files("tiny_model").joinpath("data/word.txt").read_text().strip(), "ünïcødé")
    epochs = config["train"]["epochs"]
    values = []
    for fold in range(2):
        for epoch in range(1, epochs + 1):
            value = engine.epoch(fold, epoch, crash=config["train"]["crash_in_epoch"] == epoch)
            event(event="epoch", fold=fold, folds=2, epoch=epoch, epochs=epochs, metrics={"val/dice": value})
        values.append({"fold": fold, "value": value, "n": 4})
    go = config["train"]["wait_for"]
    while go and not (Path(os.environ.get("COORD_KAGGLE_ROOT", "/kaggle")) / go).exists():
        time.sleep(0.02)
    mean = sum(item["value"] for item in values) / 2
    summary["metrics"] = [{"name": "cv/dice", "mode": "max", "folds": values, "mean": mean, "sd": 0.01, "n": 8}]
    summary["primary"]["value"] = mean
    summary["status"] = "complete"
    write()
    Path("oof.csv").write_text("ImageId,dice\n", encoding="utf-8")
    Path("submission.csv").write_text("ImageId,EncodedPixels\n", encoding="utf-8")
    event(event="end", status="complete", metrics={"cv/dice": mean})


if __name__ == "__main__":
    main()
