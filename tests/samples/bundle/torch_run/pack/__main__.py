import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

if 'RANK' not in os.environ:
    with tempfile.TemporaryDirectory() as folder:
        start = [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc-per-node=2', '-m', 'pack']
        done = subprocess.run([*start, folder, *sys.argv[1:]], stderr=subprocess.DEVNULL)
        print(*[Path(folder, rank).read_text() for rank in ('0', '1')])
    print('children ended with', done.returncode)
    sys.exit(done.returncode)

from .leaf import VALUE

folder, *codes = sys.argv[1:]
rank = int(os.environ['RANK'])
Path(folder, 'new' + str(rank)).write_text(f'{rank + VALUE} {__name__}')
Path(folder, 'new' + str(rank)).rename(Path(folder, str(rank)))
for _ in range(6000):  # torchrun ends the others when the first one has failed
    if Path(folder, str(1 - rank)).exists():
        break
    time.sleep(0.01)
if codes:
    sys.exit(int(codes[0]))
