import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vendored"))
for name in ("nets", "losses"):
    sys.path.append(os.path.join(os.path.dirname(__file__), os.pardir, "parts", name))
sys.path += [f"{Path(__file__).parent.parent}/late"]

import common.text
import dice
import third
import unet
import very_late

print(common.text.NAME, third.NAME, unet.NAME, dice.NAME, very_late.NAME)
