import outer.inner.leaf
from outer.inner import leaf
import outer

print(leaf.VALUE, outer.__file__ if hasattr(outer, '__file__') else None, len(outer.__path__), outer.inner.leaf is leaf)
