"""Predicts the rows of test.csv with the weights of a training."""

import csv
import json
import os
import sys
from pathlib import Path

DATA = Path(os.environ.get("COORD_KAGGLE_ROOT", "/kaggle"), "input/competitions/parity")

model = json.loads(Path(sys.argv[1], "weights.json").read_text())
with (DATA / "test.csv").open() as file:
    rows = list(csv.DictReader(file))
with Path("submission.csv").open("w") as file:
    print("id,label", file=file)
    for row in rows:
        print(row["id"], model["labels"][str(int(row["value"]) % model["divisor"])], sep=",", file=file)
print(f"predicted {len(rows)} rows")
