import os
import sys

import __main__

X = 1
print(__name__, __package__, __spec__, __doc__, os.path.isabs(__file__), os.path.basename(__file__), os.path.basename(sys.argv[0]), sys.argv[1:])
print(type(__loader__).__name__, __main__.X, sorted(globals()), os.path.abspath(sys.path[0]) == os.path.dirname(__file__))
