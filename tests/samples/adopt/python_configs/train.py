import argparse
import importlib
import sys
from copy import copy

sys.path.append("configs")
sys.path.append("models")

parser = argparse.ArgumentParser()
parser.add_argument("-C", "--config", help="config filename", default="cfg_base")
parser.add_argument("--lr", type=float, default=None, help="in place of the config's")
args, _ = parser.parse_known_args()

cfg = copy(importlib.import_module(args.config).cfg)
if args.lr is not None:
    cfg.lr = args.lr
Model = importlib.import_module(cfg.model).Model

for fold in range(2):
    print(f"{args.config}: fold {fold}, val_auc: {Model(cfg).train(fold):.4f}", flush=True)
