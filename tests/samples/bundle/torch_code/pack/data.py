import torch
from torch.utils.data import Dataset


class Numbers(Dataset):
    def __init__(self, n):
        self.n = n

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        return index * index


def collate(rows):
    return torch.tensor(rows)
