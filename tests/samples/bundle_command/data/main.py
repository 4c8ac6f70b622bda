import json
from pathlib import Path

here = Path(__file__).parent
print(here.joinpath("words.txt").read_text(), (here / "tables" / "one.csv").read_text())
print(json.loads((here / "tables/two.json").read_text()), (here / "tables").is_dir())
