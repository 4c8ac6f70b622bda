"""Each step hashes the one before. SIGTERM saves and ends the run; `train.resume_from` goes on from a folder."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import time
from pathlib import Path

config = json.loads(Path(os.environ["COORD_CONFIG"]).read_text())["train"]
asked = False


def stop(*_: object) -> None:
    global asked
    asked = True


signal.signal(signal.SIGTERM, stop)
state = {"step": 0, "value": "seed"}
saved = Path(config["resume_from"] or "/none") / "state.pth"
if saved.exists():
    state = json.loads(saved.read_text())
print(f"begun at {'a saved step' if state['step'] else 'the start'}")
while state["step"] < config["steps"]:
    time.sleep(0.0 if saved.exists() else config["seconds"])
    state = {"step": state["step"] + 1, "value": hashlib.sha256(str(state["value"]).encode()).hexdigest()}
    if asked:
        Path("state.pth").write_text(json.dumps(state))
        print("saved")
        sys.exit(143)
Path("oof.csv").write_text(f"row,value\n0,{state['value']}\n")
Path("metrics.json").write_text(json.dumps({"cv/score": 0.5}))
