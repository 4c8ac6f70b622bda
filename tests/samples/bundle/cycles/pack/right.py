from . import left


def value():
    return left.__name__
