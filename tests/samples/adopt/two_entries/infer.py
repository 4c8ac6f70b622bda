import argparse
import json

from lib.submission import write

parser = argparse.ArgumentParser()
parser.add_argument("--weights", required=True)
args = parser.parse_args()
with open(args.weights) as file:
    write("submission.csv", json.load(file)["lr"])
print("written")
