import argparse
import os
import sys

parser = argparse.ArgumentParser()
parser.add_argument('--lr', type=float)
parser.add_argument('words', nargs='*')
print(sys.argv[1:], parser.parse_args(), parser.prog)
