from .part import NAME

print(NAME, __name__, __package__)
