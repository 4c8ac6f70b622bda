import argparse
import subprocess
import sys

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.3)
parser.add_argument("--width", type=int, default=4)
parser.add_argument("--n-folds", type=int, default=2)
args = parser.parse_args()
for fold in range(args.n_folds):
    command = [sys.executable, "train.py", "--fold", str(fold), "--lr", str(args.lr), "--width", str(args.width)]
    subprocess.run(command, check=True)
