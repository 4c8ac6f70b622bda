import argparse
import pathlib

from .score import auc
from . import settings


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=settings.LR)
    parser.add_argument("--width", type=int, default=4)
    parser.add_argument("--no-tta", dest="tta", action="store_false")
    return parser.parse_args()


if __name__ == "__main__":
    options = parse()
    names = (pathlib.Path(__file__).parent / "classes.txt").read_text().split()
    for fold in range(2):
        print(f"fold={fold} classes={len(names)} auc={auc(options.lr, options.width, fold):.4f}", flush=True)
    pathlib.Path("outputs").mkdir(exist_ok=True)
    pathlib.Path("outputs/model.txt").write_text(str(options))
