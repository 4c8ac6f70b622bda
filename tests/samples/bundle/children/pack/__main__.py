import os
import subprocess
import sys

for arguments in (['-m', 'pack.tool', 'x'], ['-c', 'import pack.tool as t; print(t.NAME)'], [os.path.join(os.path.dirname(__file__), 'alone.py')]):
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True)
    print(done.returncode, done.stdout, done.stderr)
if os.fork() == 0:
    sys.exit(0)
print(os.wait()[1])
from . import tool

print(tool.NAME)
