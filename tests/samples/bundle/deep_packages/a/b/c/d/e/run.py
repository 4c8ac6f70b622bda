from .....top import VALUE
from ... import d
from ....c.d import e

print(__name__, __package__, VALUE, d.__name__, e.__name__)
