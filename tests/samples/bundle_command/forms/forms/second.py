from . import first

name = first.__name__
