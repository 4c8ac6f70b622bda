import b

NAME = 'a'


def value():
    return NAME + b.NAME + b.other()
