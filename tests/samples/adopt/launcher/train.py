import argparse

from score import auc

parser = argparse.ArgumentParser()
parser.add_argument("--fold", type=int, required=True)
parser.add_argument("--lr", type=float, default=0.3)
parser.add_argument("--width", type=int, default=4)
args = parser.parse_args()
print(f"fold {args.fold} auc {auc(args.lr, args.width, args.fold):.4f}", flush=True)
