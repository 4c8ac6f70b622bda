def double(x):
    """Twice.

    >>> double(2)
    4
    >>> double(3)
    6
    """
    return 2 * x
