import os
import sys

import helper

print(__name__, __package__, __spec__, helper.NAME, os.path.basename(os.path.abspath(sys.path[0])))
print(open(os.path.join(os.path.dirname(__file__), 'words.txt')).read())
