VALUE = 'ä'


def f():
    return 'ö'
