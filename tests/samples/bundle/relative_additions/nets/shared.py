class Base:
    width = 8
