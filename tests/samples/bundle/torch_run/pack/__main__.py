import os
import subprocess
import sys

if 'RANK' not in os.environ:
    done = subprocess.run([sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc-per-node=2', '-m', 'pack', *sys.argv[1:]], stderr=subprocess.DEVNULL)
    print('children ended with', done.returncode)
    sys.exit(done.returncode)

import torch
import torch.distributed as dist

from .leaf import VALUE

dist.init_process_group('gloo')
total = torch.tensor([dist.get_rank() + VALUE])
dist.all_reduce(total)
if dist.get_rank() == 0:
    print(total.item(), __name__, flush=True)
dist.barrier()
dist.destroy_process_group()
if sys.argv[1:]:
    sys.exit(int(sys.argv[1]))
