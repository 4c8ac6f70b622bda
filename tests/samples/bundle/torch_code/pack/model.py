import torch
from torch import Tensor, nn


@torch.jit.script
def scripted(x: Tensor) -> Tensor:
    if bool(x.sum() > 0):
        return x * 2
    return x


class Model(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return scripted(x) + 1
