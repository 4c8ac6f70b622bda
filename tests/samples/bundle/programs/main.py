import os
import subprocess
import sys

subprocess.run([sys.executable, "steps/prepare.py", "--n", "3"], check=True)
subprocess.run([sys.executable, "-m", "pack.run"], check=True)
n = 2
if os.system(f"{sys.executable} train.py --n {n}"):
    sys.exit(1)
subprocess.run(f"'{sys.executable}' -m tools.report --n {n}", shell=True, check=True)
subprocess.run(["sh", "scripts/all.sh", sys.executable], check=True)
