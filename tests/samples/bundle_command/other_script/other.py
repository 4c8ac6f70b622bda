import beside

NAME = beside.NAME
print(__name__, NAME)
