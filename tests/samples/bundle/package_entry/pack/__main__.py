import os
import sys

from . import leaf

print(__name__, __package__, __spec__.name, __spec__.parent, os.path.basename(__file__), os.path.basename(sys.argv[0]), sys.argv[1:])
print(sys.argv[0] == __file__, leaf.__name__, sorted(globals()))
