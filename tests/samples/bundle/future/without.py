T = int


def h(x: T) -> T:
    pass


assert h.__annotations__['x'] is int
