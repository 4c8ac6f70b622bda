import argparse
import importlib

import yaml

parser = argparse.ArgumentParser()
parser.add_argument("--config", default="configs/default.yaml")
args = parser.parse_args()
with open(args.config) as file:
    cfg = yaml.safe_load(file)

model = importlib.import_module(f"models.{cfg['model']['name']}")
loss = getattr(importlib.import_module("losses." + cfg["loss"]), "value")
for fold in cfg["folds"]:
    value = model.auc(cfg["optim"]["lr"], cfg["model"]["width"], fold)
    print(f"{cfg['model']['name']} fold {fold}: auc={value:.4f} loss={loss(value):.4f}", flush=True)
