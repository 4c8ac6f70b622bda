import argparse
import json

from common.metrics import auc

parser = argparse.ArgumentParser()
parser.add_argument("--config", type=str, required=True)
args = parser.parse_args()

with open(args.config) as file:
    config = json.load(file)

for fold in range(config["folds"]):
    value = auc(config["optim"]["lr"], config["width"], fold)
    print(f"[{config['name']}] fold {fold} auc {value:.4f}", flush=True)
with open("result.txt", "w") as file:
    file.write(config["name"])
