try:
    from . import leaf
except ImportError as error:
    print(error)
    import leaf
try:
    from .leaf import VALUE
except ImportError:
    from leaf import VALUE
print(leaf.VALUE, VALUE)
