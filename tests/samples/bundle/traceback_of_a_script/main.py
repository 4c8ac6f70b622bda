import other


def f():
    other.g()


f()
