import a

NAME = 'b'


def other():
    return a.NAME
