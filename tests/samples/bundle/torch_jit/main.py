import torch

from pack.model import Model, scripted


def here(x: int) -> int:
    return x + 1


print(torch.jit.script(here)(1), scripted(torch.ones(2)).tolist(), torch.jit.script(Model())(torch.ones(2)).tolist())
