from enum import Enum
from pathlib import Path
from typing import Optional

import typer

from score import auc


class Kind(str, Enum):
    sgd = "sgd"
    adam = "adam"


def main(lr: float = 0.3, width: int = typer.Option(4, help="features"), kind: Kind = Kind.sgd, log: Optional[Path] = None):
    for fold in range(2):
        print(f"{kind.value} fold {fold} auc {auc(lr, width, fold):.4f}", flush=True)


if __name__ == "__main__":
    typer.run(main)
