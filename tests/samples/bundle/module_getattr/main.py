import pack
from pack import computed, leaf

print(computed, pack.other, dir(pack), leaf.__name__)
try:
    from pack import missing
except ImportError as error:
    print(type(error).__name__)
