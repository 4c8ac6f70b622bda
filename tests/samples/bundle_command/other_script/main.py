import runpy
import subprocess
import sys
from pathlib import Path

other = Path(__file__).with_name("other.py")
print(runpy.run_path(str(other))["NAME"], flush=True)
subprocess.run([sys.executable, str(other)], check=True)
