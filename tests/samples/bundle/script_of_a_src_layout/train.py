import subprocess
import sys

import lungs.score

print(lungs.score.NAME, flush=True)
subprocess.run([sys.executable, "-c", "import lungs.score; print(lungs.score.NAME)"], check=True)
