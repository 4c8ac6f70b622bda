__all__ = ['leaf', 'ONE']
ONE = 1
TWO = 2
