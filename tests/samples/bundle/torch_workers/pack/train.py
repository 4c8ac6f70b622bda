import io

import torch
from torch.utils.data import DataLoader

from .data import Numbers, collate


class Here(Numbers):
    pass


if __name__ == '__main__':
    for method in ('fork', 'spawn', 'forkserver'):
        loader = DataLoader(Here(6), batch_size=2, num_workers=1, collate_fn=collate, multiprocessing_context=method, persistent_workers=True)
        print(method, [batch.tolist() for batch in loader])
    buffer = io.BytesIO()
    torch.save(Numbers(2), buffer)
    buffer.seek(0)
    print(torch.load(buffer, weights_only=False).n)
