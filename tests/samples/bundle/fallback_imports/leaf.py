VALUE = __name__, __package__
