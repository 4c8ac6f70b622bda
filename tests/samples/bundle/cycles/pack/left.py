from . import right


def value():
    return right.__name__
