import sys

NAME = __name__
print(NAME, sys.argv[1:])
