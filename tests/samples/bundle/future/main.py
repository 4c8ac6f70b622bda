import without


def f(x: int) -> without.T:
    pass


print(f.__annotations__)
from with_it import g

print(g.__annotations__)
