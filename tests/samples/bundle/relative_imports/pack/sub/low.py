from ..high import NAME as above

NAME = __name__


def up():
    from .. import high

    return above + high.__name__
