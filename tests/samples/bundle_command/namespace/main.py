import space.inner.leaf
from space import other

print(space.inner.leaf.NAME, other.NAME, space.__path__ is not None)
