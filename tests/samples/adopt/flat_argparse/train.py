import argparse
import csv
import json
import os

from losses import auc

parser = argparse.ArgumentParser(description="Trains the baseline.")
parser.add_argument("--data-dir", required=True, help="folder with train.csv")
parser.add_argument("--lr", type=float, default=0.3, help="learning rate")
parser.add_argument("--width", type=int, default=4)
parser.add_argument("--model", choices=["small", "large"], default="small")
parser.add_argument("--folds", type=int, nargs="+", default=[0, 1])
parser.add_argument("--amp", action="store_true")
parser.add_argument("--output", default="runs")


def main():
    args = parser.parse_args()
    with open(os.path.join(args.data_dir, "train.csv")) as file:
        rows = list(csv.reader(file))
    os.makedirs(args.output, exist_ok=True)
    for fold in args.folds:
        value = auc(args.lr, args.width, fold)
        print(f"fold {fold} | {len(rows)} rows | auc {value:.4f}", flush=True)
        with open(os.path.join(args.output, f"fold{fold}.json"), "w") as file:
            json.dump(vars(args), file)


if __name__ == "__main__":
    main()
