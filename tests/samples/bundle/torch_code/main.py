import io
import warnings

import torch
from torch.utils.data import DataLoader

warnings.simplefilter('ignore', FutureWarning)  # of TorchScript itself, that it is deprecated

from pack.data import Numbers, collate
from pack.model import Model, scripted


class Here(Numbers):
    pass


def here(x: int) -> int:
    return x + 1


if __name__ == '__main__':
    print(torch.jit.script(here)(1), scripted(torch.ones(2)).tolist(), torch.jit.script(Model())(torch.ones(2)).tolist())
    for method in ('fork', 'spawn'):
        loader = DataLoader(Here(6), batch_size=2, num_workers=1, collate_fn=collate, multiprocessing_context=method, persistent_workers=True)
        print(method, [batch.tolist() for batch in loader])
    buffer = io.BytesIO()
    torch.save(Numbers(2), buffer)
    buffer.seek(0)
    print(torch.load(buffer, weights_only=False).n)
