import argparse
import json

from lib.score import auc

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.3)
parser.add_argument("--width", type=int, default=4)
args = parser.parse_args()
for fold in range(2):
    print(f"fold {fold} auc {auc(args.lr, args.width, fold):.4f}", flush=True)
with open("model.json", "w") as file:
    json.dump({"lr": args.lr}, file)
