from . import leaf

print(__name__, __spec__.name, leaf.VALUE)
