import sys

NAME = 'tool'
if __name__ == '__main__':
    print(sys.argv[1:], __package__)
