"""Its docstring."""
import os
import sys

import __main__

X = 1
print(__doc__, __name__, __package__, __spec__.name, __spec__.parent, __main__.X, __main__.__dict__ is globals(), 'pack.tools.run' in sys.modules)
root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
print(sys.path[0] == root, os.path.dirname(os.path.abspath(sys.argv[0])) in sys.path)
