import sys

print(input('name? '))
print(sys.stdin.readlines(), sys.stdin.isatty())
