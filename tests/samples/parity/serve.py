"""Predicts the rows that the competition's gateway sends, one by one."""

import json
import os
import sys
from pathlib import Path

from kaggle_evaluation.parity_inference_server import ParityInferenceServer

DATA = Path(os.environ.get("COORD_KAGGLE_ROOT", "/kaggle"), "input/competitions/parity")

model = json.loads(Path(sys.argv[1], "weights.json").read_text())


def predict(row: dict[str, str]) -> int:
    """The label of one row."""
    return int(model["labels"][str(int(row["value"]) % model["divisor"])])


server = ParityInferenceServer(predict)
if os.environ.get("KAGGLE_IS_COMPETITION_RERUN"):
    server.serve()
else:
    server.run_local_gateway((str(DATA),))
