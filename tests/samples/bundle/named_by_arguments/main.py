import argparse
import json
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--config", required=True)
parser.add_argument("--words", required=True)
parser.add_argument("--data-dir", required=True)
args = parser.parse_args()
config = json.loads(Path(args.config).read_text())
base = json.loads((Path(args.config).parent / config.pop("base")).read_text())
print({**base, **config}, Path(args.words).read_text().split(), sorted(Path(args.data_dir).rglob("*.csv")))
