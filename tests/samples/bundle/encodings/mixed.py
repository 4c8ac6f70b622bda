VALUE = '''a
b
c'''


def f():
    return 1
