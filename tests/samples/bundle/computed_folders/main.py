import importlib
import json
from pathlib import Path

here = Path(__file__).parent
config = json.loads((here / "settings" / "run.json").read_text())
model = importlib.import_module(f"models.{config['model']}")
loss = getattr(importlib.import_module("losses." + config["loss"]), "value")
optimizer = importlib.import_module(config["optimizer"])
schedule = importlib.import_module("schedules.%s" % config["schedule"])
print(model.NAME, loss(2), optimizer.NAME, schedule.NAME)
