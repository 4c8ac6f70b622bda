VALUE = __name__
