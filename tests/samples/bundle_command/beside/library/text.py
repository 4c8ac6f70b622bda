import importlib.resources

from . import deep


def first():
    return deep.strip(importlib.resources.files(__package__).joinpath("words.txt").read_text())
