import json
import os
import sys
from pathlib import Path

HERE = os.path.dirname(os.path.abspath(__file__))
CONFIGS = Path(HERE) / "configs"
for name in sys.argv[1:]:
    with open(f"{HERE}/configs/{name}.json") as file:
        print(json.load(file))
    print((CONFIGS / f"{name}.toml").read_text().strip())
    print(open(os.path.join(HERE, "grids", name + ".yaml")).read().strip())
print(sorted(path.name for path in CONFIGS.glob("*")))
for default in ("variants/first",):
    print(open(os.path.join(HERE, default + ".ini")).read().strip(), sorted(os.listdir(os.path.join(HERE, "variants"))))
