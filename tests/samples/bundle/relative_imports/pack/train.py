from . import high, low
from .high import NAME as same
from .sub.low import up

print(__name__, __package__, high.NAME, same, low.NAME, up())
